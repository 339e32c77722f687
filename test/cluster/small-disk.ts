// A small file system for one member's data, so that it can be filled. Needs the right to mount; without it there is
// none, and the faults limit the size of the process's files instead (prlimit).

import { closeSync, existsSync, mkdirSync, openSync, rmSync, writeSync } from "node:fs";
import { join } from "node:path";

/** Etcd alone keeps two log files of 64 MB ready. */
const diskMegabytes = 256;
const pieceBytes = 1 << 20;

export interface SmallDisk {
  /** Uses up every block that is left. */
  fill(): void;
  empty(): void;
  unmount(): void;
}

/** null when this process may not mount. */
export function mountSmallDisk(directory: string): SmallDisk | null {
  mkdirSync(directory, { recursive: true });
  const options = `size=${diskMegabytes}m,mode=0700`;
  const mounted = Bun.spawnSync(["mount", "-t", "tmpfs", "-o", options, "tmpfs", directory]);
  if (mounted.exitCode !== 0) return null;
  const filler = join(directory, "filler");
  return {
    fill() {
      const file = openSync(filler, "a");
      try {
        for (let bytes = pieceBytes; bytes >= 1; bytes = Math.floor(bytes / 4)) {
          while (writes(file, bytes));
        }
      } finally {
        closeSync(file);
      }
    },
    empty() {
      if (existsSync(filler)) rmSync(filler);
    },
    unmount() {
      Bun.spawnSync(["umount", "-l", directory]);
    },
  };
}

function writes(file: number, bytes: number): boolean {
  try {
    return writeSync(file, new Uint8Array(bytes)) > 0;
  } catch {
    return false;
  }
}

/** Files of the process may not grow beyond this from now on; false when the limit cannot be set. */
export function limitFileSize(pid: number, bytes: number | "unlimited"): boolean {
  const limit = bytes === "unlimited" ? "unlimited" : `${bytes}:unlimited`;
  return Bun.spawnSync(["prlimit", "--pid", String(pid), `--fsize=${limit}`]).exitCode === 0;
}
