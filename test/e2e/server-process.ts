// A server process with arguments, environment and files of the test's choice, in a directory of its own: run to its
// end, or until it says that it is ready.

import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { freePort, type MemberKind, serverCommand } from "../reference-etcd.ts";
import { type Ended, runProgram } from "./run-program.ts";

const made: string[] = [];

export function newDirectory(): string {
  const directory = mkdtempSync(join(tmpdir(), "cairn-server-"));
  made.push(directory);
  return directory;
}

/** For afterAll. */
export function removeServerDirectories(): void {
  for (const directory of made.splice(0)) rmSync(directory, { recursive: true, force: true });
}

/** A process that takes longer is ended. */
export const LIMIT_MS = 15_000;

export async function run(
  kind: MemberKind,
  args: readonly string[],
  environment: Record<string, string> = {},
): Promise<Ended> {
  const cmd = [...serverCommand(kind), ...args];
  return await runProgram({ cmd, cwd: newDirectory(), environment, limitMs: LIMIT_MS });
}

/** Free ports, and advertised URLs that need none. */
export async function memberFlags(): Promise<string[]> {
  const client = `http://127.0.0.1:${await freePort()}`;
  const peer = `http://127.0.0.1:${await freePort()}`;
  return [
    ...["--name=m", `--listen-client-urls=${client}`, `--advertise-client-urls=${client}`],
    `--listen-peer-urls=${peer}`,
    "--initial-advertise-peer-urls=http://127.0.0.1:2",
    "--initial-cluster=m=http://127.0.0.1:2",
  ];
}

export interface Running {
  readonly pid: number;
  readonly directory: string;
  log(): string;
  signal(name: NodeJS.Signals): void;
  readonly ended: Promise<{ code: number | null; signal: number | string | null }>;
}

export async function start(
  args: readonly string[],
  environment: Record<string, string> = {},
  files: Record<string, string> = {},
): Promise<Running> {
  const directory = newDirectory();
  for (const [name, text] of Object.entries(files)) writeFileSync(join(directory, name), text);
  const child = Bun.spawn({
    cmd: [...serverCommand("cairn"), ...args],
    cwd: directory,
    env: { PATH: process.env.PATH ?? "", ...environment },
    stdin: "ignore",
    stdout: "ignore",
    stderr: "pipe",
    timeout: LIMIT_MS,
    killSignal: "SIGKILL",
  });
  let text = "";
  const reader = child.stderr.getReader();
  const decoder = new TextDecoder();
  const more = async () => {
    const { done, value } = await reader.read();
    if (value !== undefined) text += decoder.decode(value, { stream: true });
    return !done;
  };
  while (!text.includes("notified init daemon") && !text.includes("failed to notify")) {
    if (!(await more())) throw new Error(`the member ended: ${text}`);
  }
  const rest = (async () => {
    while (await more());
  })();
  return {
    pid: child.pid,
    directory,
    log: () => text,
    signal: (name) => child.kill(name),
    ended: Promise.all([child.exited, rest]).then(() => ({
      code: child.exitCode,
      signal: child.signalCode,
    })),
  };
}

export function messagesOf(log: string): string[] {
  return log
    .trimEnd()
    .split("\n")
    .map((line) => JSON.parse(line).msg);
}

export async function health(url: string, unix?: string): Promise<number> {
  const answer = await fetch(`${url}/health`, unix === undefined ? {} : { unix });
  await answer.text();
  return answer.status;
}
