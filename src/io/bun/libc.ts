/** The few libc calls that the runtime lacks, loaded where possible. Never needed for correctness of data. */
import { dlopen, type Library } from "bun:ffi";

export interface Libc {
  /** Allocates [offset, offset + lengthBytes); false where the file system cannot. */
  fallocate(descriptor: number, offset: number, lengthBytes: number): boolean;
  /** Takes an exclusive advisory lock without waiting; false when another process holds it. */
  tryLock(descriptor: number): boolean;
  /** Sends one datagram to a unix socket: a path, or with a leading @ a name without a file; false when it failed. */
  sendDatagram(socketPath: string, data: Uint8Array): boolean;
}

const SYMBOLS = {
  fallocate: { args: ["i32", "i32", "i64", "i64"], returns: "i32" },
  flock: { args: ["i32", "i32"], returns: "i32" },
  socket: { args: ["i32", "i32", "i32"], returns: "i32" },
  sendto: { args: ["i32", "ptr", "u64", "i32", "ptr", "u32"], returns: "i64" },
  close: { args: ["i32"], returns: "i32" },
} as const;

const NAMES = ["libc.so.6", "libc.musl-x86_64.so.1", "libc.musl-aarch64.so.1"];
const LOCK_EXCLUSIVE_WITHOUT_WAITING = 2 | 4;

const UNIX_DOMAIN = 1;
const DATAGRAM_CLOSED_ON_EXEC = 2 | 0o2000000;
const WITHOUT_SIGNAL = 0x4000;
const PATH_BYTES_MAX = 108;

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
        sendDatagram: (socketPath, data) => sendDatagram(library, socketPath, data),
      };
    } catch {
      // The next name; a system without any of them works without these calls.
    }
  }
  return null;
}

function sendDatagram(library: Library<typeof SYMBOLS>, path: string, data: Uint8Array): boolean {
  const name = new TextEncoder().encode(path);
  if (name.length === 0 || name.length >= PATH_BYTES_MAX) return false;
  const { socket, sendto, close } = library.symbols;
  // struct sockaddr_un: the family in the machine's byte order, then the path. A name without a file has no end mark.
  const isAbstract = path.startsWith("@");
  const address = new Uint8Array(2 + name.length + (isAbstract ? 0 : 1));
  address[0] = UNIX_DOMAIN;
  address.set(name, 2);
  if (isAbstract) address[2] = 0;
  const descriptor = socket(UNIX_DOMAIN, DATAGRAM_CLOSED_ON_EXEC, 0);
  if (descriptor < 0) return false;
  const sent = sendto(descriptor, data, data.length, WITHOUT_SIGNAL, address, address.length);
  close(descriptor);
  return Number(sent) === data.length;
}
