/**
 * This process's streams for a command. Output is written before the next step is taken: a reader of a pipe sees each
 * event when it happens, and nothing is lost when the process ends. A closed pipe ends the program quietly, as it
 * does programs in Go.
 */
import { writeSync } from "node:fs";
import type { CommandIo, CommandOutput } from "./output/index.ts";

const STDOUT = 1;
const STDERR = 2;
const BROKEN_PIPE_STATUS = 141; // 128 + SIGPIPE, what a shell reports
const RETRY_PAUSE_MS = 1;

export function processIo(): CommandIo {
  return {
    stdin: process.stdin,
    stdout: descriptorOutput(STDOUT),
    stderr: descriptorOutput(STDERR),
  };
}

function descriptorOutput(descriptor: number): CommandOutput {
  return {
    write(data) {
      const bytes = typeof data === "string" ? Buffer.from(data) : data;
      for (let at = 0; at < bytes.length; ) at += writeSome(descriptor, bytes, at);
    },
  };
}

function writeSome(descriptor: number, bytes: Uint8Array, from: number): number {
  try {
    return writeSync(descriptor, bytes, from);
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === "EAGAIN") {
      Bun.sleepSync(RETRY_PAUSE_MS); // a pipe set to not block, and full
      return 0;
    }
    if (code === "EPIPE") process.exit(BROKEN_PIPE_STATUS);
    throw error;
  }
}
