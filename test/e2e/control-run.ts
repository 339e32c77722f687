// One run of an etcdctl, the real one or ours, against one server: what it printed and how it ended,
// with ids, terms, times, sizes and versions replaced by names, so that runs against different servers
// compare.

import { cairnCommand } from "../cairn-command.ts";
import { referenceProgram } from "../reference.ts";
import type { Member } from "../reference-etcd.ts";

export type ControlProgram = "reference" | "cairn";

export interface ControlCommand {
  readonly args: readonly string[];
  readonly stdin?: string;
  /** For commands that do not end: ended once this many lines are there. */
  readonly untilLines?: number;
  /** Keep a captured group of the output under a name, for `$name` in later commands. */
  readonly capture?: { readonly name: string; readonly from: RegExp };
  /** What of the normalised output may differ besides. */
  readonly mask?: readonly (readonly [from: RegExp, to: string])[];
}

export interface ControlResult {
  readonly args: string;
  readonly exitCode: number | string;
  readonly stdout: string;
  readonly stderr: string;
}

const runMilliseconds = 15_000;
const pollMilliseconds = 10;

export interface ServerIdentity {
  readonly clusterId: bigint;
  readonly memberId: bigint;
}

/** Runs commands against one server with one etcdctl and remembers what they captured. */
export class ControlSession {
  readonly #program: ControlProgram;
  readonly #member: Member;
  readonly #identity: ServerIdentity;
  readonly #captured = new Map<string, string>();

  constructor(program: ControlProgram, member: Member, identity: ServerIdentity) {
    this.#program = program;
    this.#member = member;
    this.#identity = identity;
  }

  async run(command: ControlCommand): Promise<ControlResult> {
    const args = command.args.map((arg) => this.#filled(arg));
    const child = Bun.spawn({
      cmd: [...this.#words(), `--endpoints=${this.#member.endpoint}`, ...args],
      env: { PATH: process.env.PATH ?? "" },
      cwd: this.#member.directory,
      stdin: new TextEncoder().encode(this.#filled(command.stdin ?? "")),
      stdout: "pipe",
      stderr: "pipe",
    });
    let stdout = "";
    const timer = setTimeout(() => child.kill("SIGKILL"), runMilliseconds);
    const reading = readInto(child.stdout, (text) => {
      stdout += text;
      const lines = stdout.split("\n").length - 1;
      if (command.untilLines !== undefined && lines >= command.untilLines) child.kill("SIGINT");
    });
    const stderr = await new Response(child.stderr).text();
    await reading;
    await child.exited;
    clearTimeout(timer);
    if (command.capture) {
      const found = command.capture.from.exec(stdout)?.[1];
      if (found !== undefined) this.#captured.set(command.capture.name, found);
    }
    const ended = command.untilLines === undefined ? (child.exitCode ?? "killed") : "ended by us";
    return {
      args: command.args.join(" "),
      exitCode: ended,
      stdout: this.#normalised(stdout, command),
      stderr: this.#normalised(stderr, command),
    };
  }

  #words(): string[] {
    return this.#program === "reference" ? [referenceProgram("etcdctl")] : cairnCommand("ctl");
  }

  #filled(text: string): string {
    return text.replaceAll(/\$(\w+)/g, (all, name) => this.#captured.get(name) ?? all);
  }

  #normalised(text: string, command: ControlCommand): string {
    const { clusterId, memberId } = this.#identity;
    let result = text;
    for (const [id, name] of [
      [clusterId, "<cluster>"],
      [memberId, "<member>"],
    ] as const) {
      result = result.replaceAll(String(id), name).replaceAll(id.toString(16), name);
    }
    for (const [name, value] of this.#captured) {
      const decimal = /^[0-9a-f]{8,}$/.test(value) ? BigInt(`0x${value}`).toString() : value;
      result = result.replaceAll(value, `<${name}>`).replaceAll(decimal, `<${name}>`);
    }
    result = result
      .replaceAll(this.#member.endpoint, "<endpoint>")
      // Whatever other port a start that had to try again was given.
      .replaceAll(/127\.0\.0\.1:\d{4,5}/g, "<peer>")
      .replaceAll(this.#member.directory, "<directory>");
    for (const [from, to] of [...alwaysMasked, ...(command.mask ?? [])]) {
      result = result.replaceAll(from, to);
    }
    return isTable(result) ? withoutWidths(result) : withoutHelpTexts(result);
  }
}

const alwaysMasked: readonly (readonly [from: RegExp, to: string])[] = [
  // The client library's own log: addresses in memory, ports, places in its source.
  [/^\{"level":.*\n/gm, ""],
  [/(?<= )[\d.]+(?:µs|ms)(?= )/g, "<time>"],
  [/("raft_term":|"RaftTerm" : )\d+/g, "$1<term>"],
  [/took = [\d.]+(?:µs|ms|s)/g, "took = <time>"],
  [/("[Tt]ook"(?::| : ))"?[\d.]+(?:µs|ms|s)"?/g, "$1<time>"],
];

function isTable(text: string): boolean {
  return /^[+┌|│]/.test(text);
}

/** Columns are as wide as their longest cell, and ids have different lengths; builds of etcdctl draw their
 * lines with different characters. */
function withoutWidths(table: string): string {
  return table
    .replaceAll(/[┌┬┐├┼┤└┴┘]/g, "+")
    .replaceAll("│", "|")
    .replaceAll(/[-─]+/g, "-")
    .replaceAll(/ +/g, " ");
}

/** Flags that etcdctl has since 3.6 and 3.7. */
const laterFlags =
  /^ +--(?:(?:min|max)-(?:create|mod)-rev|auth-jwt-token|max-recv-bytes|max-request-bytes)\b.*\n/gm;

/** Help names the same flags with the same defaults, in words of its own. */
function withoutHelpTexts(text: string): string {
  if (!text.startsWith("NAME:")) return text;
  return text
    .replaceAll(laterFlags, "")
    .replaceAll(/^( +(?:-\w, )?--[\w-]+\S*)\t+.*$/gm, "$1")
    .replaceAll(/^(\t[\w-]+)(?: - |\t+).*$/gm, "$1")
    .replaceAll(/^\t3\.\d$/gm, "\t<version>");
}

async function readInto(
  stream: ReadableStream<Uint8Array>,
  take: (text: string) => void,
): Promise<void> {
  const decoder = new TextDecoder();
  for await (const bytes of stream) take(decoder.decode(bytes, { stream: true }));
}

/** Waits for something another process does. */
export async function until(condition: () => boolean | Promise<boolean>): Promise<void> {
  const deadline = performance.now() + runMilliseconds;
  while (!(await condition())) {
    if (performance.now() > deadline) throw new Error("waited in vain");
    await Bun.sleep(pollMilliseconds);
  }
}
