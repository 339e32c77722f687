/** The two libc calls that the runtime lacks, loaded where possible. Never needed for correctness of data. */
import { dlopen, type Library } from "bun:ffi";

export interface Libc {
  /** Allocates [offset, offset + lengthBytes); false where the file system cannot. */
  fallocate(descriptor: number, offset: number, lengthBytes: number): boolean;
  /** Takes an exclusive advisory lock without waiting; false when another process holds it. */
  tryLock(descriptor: number): boolean;
}

const SYMBOLS = {
  fallocate: { args: ["i32", "i32", "i64", "i64"], returns: "i32" },
  flock: { args: ["i32", "i32"], returns: "i32" },
} as const;

const NAMES = ["libc.so.6", "libc.musl-x86_64.so.1", "libc.musl-aarch64.so.1"];
const LOCK_EXCLUSIVE_WITHOUT_WAITING = 2 | 4;

let loaded: Libc | null | undefined;

export function libc(): Libc | null {
  if (loaded === undefined) loaded = process.platform === "linux" ? load() : null;
  return loaded;
}

function load(): Libc | null {
  for (const name of NAMES) {
    try {
      const library: Library<typeof SYMBOLS> = dlopen(name, SYMBOLS);
      return {
        fallocate: (descriptor, offset, lengthBytes) =>
          library.symbols.fallocate(descriptor, 0, offset, lengthBytes) === 0,
        tryLock: (descriptor) =>
          library.symbols.flock(descriptor, LOCK_EXCLUSIVE_WITHOUT_WAITING) === 0,
      };
    } catch {
      // The next name; a system without any of them works without these calls.
    }
  }
  return null;
}
