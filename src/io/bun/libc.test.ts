import { dlopen } from "bun:ffi";
import { afterAll, expect, test } from "bun:test";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { libc } from "./libc.ts";

const directory = mkdtempSync(join(tmpdir(), "cairn-libc-"));
afterAll(() => rmSync(directory, { recursive: true }));

const UNIX_DOMAIN = 1;
const DATAGRAM = 2;
const WITHOUT_WAITING = 0x40;

/** A datagram socket that was there before: what a supervisor opens. */
function receiver(name: string): () => string | null {
  const { symbols } = dlopen("libc.so.6", {
    socket: { args: ["i32", "i32", "i32"], returns: "i32" },
    bind: { args: ["i32", "ptr", "u32"], returns: "i32" },
    recv: { args: ["i32", "ptr", "u64", "i32"], returns: "i64" },
  });
  const bytes = new TextEncoder().encode(name);
  const address = new Uint8Array(2 + bytes.length + (name.startsWith("@") ? 0 : 1));
  address[0] = UNIX_DOMAIN;
  address.set(bytes, 2);
  if (name.startsWith("@")) address[2] = 0;
  const descriptor = symbols.socket(UNIX_DOMAIN, DATAGRAM, 0);
  expect(symbols.bind(descriptor, address, address.length)).toBe(0);
  return () => {
    const buffer = new Uint8Array(100);
    const length = Number(symbols.recv(descriptor, buffer, buffer.length, WITHOUT_WAITING));
    return length < 0 ? null : new TextDecoder().decode(buffer.subarray(0, length));
  };
}

const onLinux = test.skipIf(process.platform !== "linux");

onLinux("sendDatagram reaches a socket by its path, or by a name without a file", () => {
  for (const name of [join(directory, "notify.sock"), `@cairn-test-${process.pid}`]) {
    const receive = receiver(name);
    expect(receive()).toBeNull();
    expect(libc()?.sendDatagram(name, new TextEncoder().encode("READY=1"))).toBe(true);
    expect(receive()).toBe("READY=1");
    expect(receive()).toBeNull();
  }
});

onLinux("sendDatagram says when nobody is there", () => {
  const data = new Uint8Array([1]);
  expect(libc()?.sendDatagram(join(directory, "missing"), data)).toBe(false);
  expect(libc()?.sendDatagram("", data)).toBe(false);
  expect(libc()?.sendDatagram("x".repeat(200), data)).toBe(false);
});
