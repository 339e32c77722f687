// Which of some processes opened a loopback connection, found by its source port in Linux's /proc. This is how the
// proxy between members learns who is calling without reading what is said.

import { readdirSync, readFileSync, readlinkSync } from "node:fs";

const loopbackHex = "0100007F";
const establishedHex = "01";

/** The process among `pids` that holds the socket bound to 127.0.0.1:`port`; null when none does (any more). */
export function ownerOf(port: number, pids: Iterable<number>): number | null {
  const inode = inodeOf(port);
  if (inode === null) return null;
  const wanted = `socket:[${inode}]`;
  for (const pid of pids) if (holds(pid, wanted)) return pid;
  return null;
}

function inodeOf(port: number): string | null {
  const local = `${loopbackHex}:${port.toString(16).toUpperCase().padStart(4, "0")}`;
  for (const line of readFileSync("/proc/net/tcp", "utf8").split("\n")) {
    const fields = line.trim().split(/\s+/);
    if (fields[1] === local && fields[3] === establishedHex) return fields[9] ?? null;
  }
  return null;
}

function holds(pid: number, wanted: string): boolean {
  const directory = `/proc/${pid}/fd`;
  let names: string[];
  try {
    names = readdirSync(directory);
  } catch {
    return false;
  }
  return names.some((name) => {
    try {
      return readlinkSync(`${directory}/${name}`) === wanted;
    } catch {
      return false;
    }
  });
}
