/** Runs a program for each event of a watch, with the event in its environment; a failing program ends the watch. */
import { spawn } from "node:child_process";
import type { Event, WatchResponse } from "../../api/index.ts";
import { ExitCode, ExitError } from "../args/index.ts";
import { type CommandIo, goQuote, goQuoteText } from "../output/index.ts";
import type { ControlContext } from "./context.ts";

const NOTHING = new Uint8Array(0);

export async function runForEvents(
  context: ControlContext,
  program: readonly string[],
  response: WatchResponse,
): Promise<void> {
  for (const event of response.events) {
    const environment = { ...context.environment, ...eventVariables(response, event) };
    const failure = await runProgram(context.io, program, environment);
    if (failure === null) continue;
    const shown = `[${program.map(goQuoteText).join(" ")}]`;
    context.io.stderr.write(`command ${shown} error (${failure})\n`);
    throw new ExitError(ExitCode.error, null);
  }
}

function eventVariables(response: WatchResponse, event: Event): Record<string, string> {
  return {
    ETCD_WATCH_REVISION: String(response.header?.revision ?? 0),
    ETCD_WATCH_EVENT_TYPE: goQuoteText(event.type === 0 ? "PUT" : "DELETE"),
    ETCD_WATCH_KEY: goQuote(event.kv?.key ?? NOTHING),
    ETCD_WATCH_VALUE: goQuote(event.kv?.value ?? NOTHING),
  };
}

/** Null when the program ended well. */
function runProgram(
  io: CommandIo,
  program: readonly string[],
  environment: Record<string, string | undefined>,
): Promise<string | null> {
  return new Promise((resolve) => {
    const [name = "", ...args] = program;
    const child = spawn(name, args, { env: environment, stdio: ["ignore", "pipe", "pipe"] });
    child.stdout.on("data", (chunk: Uint8Array) => io.stdout.write(chunk));
    child.stderr.on("data", (chunk: Uint8Array) => io.stderr.write(chunk));
    child.on("error", () => resolve(missingProgramText(name)));
    child.on("close", (code, signal) => {
      if (signal !== null) resolve(`signal: ${signal}`);
      else resolve(code === 0 ? null : `exit status ${code}`);
    });
  });
}

function missingProgramText(name: string): string {
  if (name.includes("/")) return `fork/exec ${name}: no such file or directory`;
  return `exec: ${goQuoteText(name)}: executable file not found in $PATH`;
}
