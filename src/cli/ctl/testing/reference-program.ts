/** Runs the real etcdctl as a process and ours inside the test, with the same arguments, and returns what both said. */
import { spawn } from "node:child_process";
import { referenceProgram } from "../../../../test/reference.ts";
import { runControl } from "../run-control.ts";
import { normalOutput } from "./normal-output.ts";

export interface Outcome {
  readonly stdout: string;
  readonly stderr: string;
  readonly code: number | null;
}

export interface Invocation {
  readonly args: readonly string[];
  readonly input?: string;
  readonly environment?: Readonly<Record<string, string>>;
  readonly directory?: string;
}

export function runReference(invocation: Invocation, endpoint: string): Promise<Outcome> {
  return new Promise((resolve) => {
    const child = spawn(referenceProgram("etcdctl"), [...invocation.args], {
      cwd: invocation.directory,
      env: environmentOf(invocation, endpoint),
    });
    const out: Uint8Array[] = [];
    const err: Uint8Array[] = [];
    child.stdout.on("data", (chunk) => out.push(chunk));
    child.stderr.on("data", (chunk) => err.push(chunk));
    child.stdin.on("error", () => {}); // it may end without reading
    child.stdin.end(invocation.input ?? "");
    child.on("close", (code) => resolve(outcome(out, err, code)));
  });
}

export async function runOurs(invocation: Invocation, endpoint: string): Promise<Outcome> {
  const out: Uint8Array[] = [];
  const err: Uint8Array[] = [];
  const input = Buffer.from(invocation.input ?? "");
  const code = await runControl(invocation.args, environmentOf(invocation, endpoint), {
    stdin: chunks(input),
    stdout: { write: (data) => out.push(Buffer.from(data)) },
    stderr: { write: (data) => err.push(Buffer.from(data)) },
  });
  return outcome(out, err, code);
}

async function* chunks(input: Uint8Array): AsyncGenerator<Uint8Array, void, void> {
  if (input.length > 0) yield input;
}

function environmentOf(invocation: Invocation, endpoint: string): Record<string, string> {
  const named = invocation.args.some((arg) => arg.startsWith("--endpoints"));
  return {
    PATH: process.env.PATH ?? "",
    ...(named ? {} : { ETCDCTL_ENDPOINTS: endpoint }),
    ...invocation.environment,
  };
}

/** Bytes that are not UTF-8 are compared as Latin-1, so that none is lost. */
function outcome(
  out: readonly Uint8Array[],
  err: readonly Uint8Array[],
  code: number | null,
): Outcome {
  const bytes = Buffer.concat(out);
  const text = bytes.toString("utf8");
  return {
    stdout: normalOutput(text.includes("\ufffd") ? bytes.toString("latin1") : text),
    stderr: normalOutput(Buffer.concat(err).toString("utf8")),
    code,
  };
}
