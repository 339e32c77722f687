/**
 * The process's arguments with bytes that are not UTF-8 kept (see output/argument-bytes.ts). The runtime replaces
 * such bytes; on Linux the kernel still has them.
 */
import { readFileSync } from "node:fs";
import { argumentOfBytes } from "./output/index.ts";

const REPLACEMENT = "\ufffd";
const ZERO = 0;

export function rawArguments(args: readonly string[]): string[] {
  if (!args.some((arg) => arg.includes(REPLACEMENT))) return [...args];
  let bytes: Uint8Array;
  try {
    bytes = readFileSync("/proc/self/cmdline");
  } catch {
    return [...args]; // another system: the arguments stay as the runtime read them
  }
  const all: string[] = [];
  for (let from = 0; from < bytes.length; ) {
    const end = bytes.indexOf(ZERO, from);
    all.push(argumentOfBytes(bytes.subarray(from, end < 0 ? bytes.length : end)));
    from = (end < 0 ? bytes.length : end) + 1;
  }
  return all.slice(all.length - args.length);
}
