// A small file system of its own for one member's data, so that it can be filled and frozen. Needs the right to mount;
// without it there is none, and the faults limit the size of the process's files instead (prlimit).

import {
  closeSync,
  existsSync,
  mkdirSync,
  openSync,
  rmSync,
  statSync,
  truncateSync,
  writeFileSync,
  writeSync,
} from "node:fs";
import { join } from "node:path";

/** Log files of 64 MB are made ahead, and snapshots are taken only where room is left for them. */
const diskBytes = 512 * 1024 * 1024;
const pieceBytes = 1 << 20;
/** A page takes seconds. */
const crawlBytesPerSecond = 1024;
/** Linux' first version of control groups. */
const groups = "/sys/fs/cgroup/blkio";

export interface SmallDisk {
  /** Uses up every block that is left. */
  fill(): void;
  empty(): void;
  /** Writes and syncs wait from here on. */
  freeze(): void;
  thaw(): void;
  /** Syncs of this process crawl from here on, its writes do not wait; false when that cannot be had. */
  crawl(pid: number): boolean;
  unmount(): void;
}

/** An ext4 in a file beside `directory`, mounted there; null when this process may not mount. */
export function mountSmallDisk(directory: string): SmallDisk | null {
  mkdirSync(directory, { recursive: true });
  const image = `${directory}.image`;
  closeSync(openSync(image, "w"));
  truncateSync(image, diskBytes);
  const made =
    runs("mkfs.ext4", "-q", "-m", "0", image) && runs("mount", "-o", "loop", image, directory);
  if (!made) {
    rmSync(image, { force: true });
    return null;
  }
  const filler = join(directory, "filler");
  let isFrozen = false;
  let crawls = false;
  const group = join(groups, `cairn-${process.pid}-${image.replaceAll("/", "-")}`);
  /** 0: no limit. */
  const limit = (directory: string, bytesPerSecond: number) => {
    const { dev } = statSync(directory);
    const device = `${(dev >> 8) & 0xfff}:${dev & 0xff}`;
    const file = join(group, "blkio.throttle.write_bps_device");
    writeFileSync(file, `${device} ${bytesPerSecond}`);
  };
  return {
    fill: () => fill(filler),
    empty() {
      if (!isFrozen && existsSync(filler)) rmSync(filler);
    },
    freeze() {
      if (!isFrozen) isFrozen = runs("fsfreeze", "-f", directory);
    },
    thaw() {
      if (isFrozen) isFrozen = !runs("fsfreeze", "-u", directory);
      if (crawls) limit(directory, 0);
      crawls = false;
    },
    crawl(pid) {
      try {
        mkdirSync(group, { recursive: true });
        writeFileSync(join(group, "cgroup.procs"), String(pid));
        limit(directory, crawlBytesPerSecond);
        crawls = true;
      } catch {
        return false;
      }
      return true;
    },
    unmount() {
      if (existsSync(group)) runs("rmdir", group);
      runs("umount", "-l", directory);
    },
  };
}

function runs(...words: readonly string[]): boolean {
  try {
    return Bun.spawnSync([...words]).exitCode === 0;
  } catch {
    return false;
  }
}

function fill(filler: string): void {
  const file = openSync(filler, "a");
  for (let bytes = pieceBytes; bytes >= 1; bytes = Math.floor(bytes / 4)) {
    while (writes(file, bytes));
  }
  closeSync(file);
}

function writes(file: number, bytes: number): boolean {
  try {
    return writeSync(file, new Uint8Array(bytes)) > 0;
  } catch {
    return false;
  }
}

/** Files of the process may not grow beyond this from now on; false when the limit cannot be set. */
export function limitFileSize(pid: number, bytes: number): boolean {
  return runs("prlimit", "--pid", String(pid), `--fsize=${bytes}:unlimited`);
}
