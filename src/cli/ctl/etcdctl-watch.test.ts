// Watches of our etcdctl and of the real one, both as processes on one real etcd. Each watches what has already
// happened, so both must say the same, and each is ended as soon as it has said what is expected.

import { afterAll, beforeAll, expect, test } from "bun:test";
import { spawn } from "node:child_process";
import { cairnCommand } from "../../../test/cairn-command.ts";
import { describeWithReference, referenceProgram } from "../../../test/reference.ts";
import { type Member, startMember } from "../../../test/reference-etcd.ts";
import { utf8 } from "../../base/bytes.ts";
import { Client } from "../../client/index.ts";
import { BunClock } from "../../io/bun/index.ts";
import { normalOutput } from "./testing/normal-output.ts";

const WAIT_MS = 15_000;

interface Watched {
  readonly stdout: string;
  readonly stderr: string;
  readonly code: number | null;
}

interface Watching {
  readonly args: readonly string[];
  readonly input?: string;
  readonly environment?: Readonly<Record<string, string>>;
  /** How many lines of output and errors to wait for before the program is ended or its input is closed. */
  readonly lines: number;
}

describeWithReference("etcdctl watch", () => {
  let member: Member;

  beforeAll(async () => {
    member = await startMember({ kind: "etcd" });
    const client = new Client({ clock: new BunClock(), endpoints: [member.endpoint] });
    const key = utf8("w1");
    await client.kv.put({ key, value: utf8("v1") });
    await client.kv.put({ key, value: utf8("v 2") });
    await client.kv.deleteRange({ key });
    await client.kv.put({ key: utf8("w2\n"), value: Uint8Array.of(0xff, 0x41) });
    client.close();
  }, 2 * WAIT_MS);

  afterAll(() => member?.remove());

  function run(command: readonly string[], watching: Watching): Promise<Watched> {
    const [program = "", ...first] = command;
    const child = spawn(program, [...first, "watch", ...watching.args], {
      env: {
        PATH: process.env.PATH ?? "",
        ETCDCTL_ENDPOINTS: member.endpoint,
        ...watching.environment,
      },
    });
    const out: Uint8Array[] = [];
    const err: Uint8Array[] = [];
    const timer = setTimeout(() => child.kill("SIGKILL"), WAIT_MS);
    const check = () => {
      const text = Buffer.concat([...out, ...err]).toString("latin1");
      if (text.split("\n").length - 1 < watching.lines) return;
      if (watching.input === undefined) child.kill("SIGTERM");
      else child.stdin.end();
    };
    child.stdin.on("error", () => {});
    if (watching.input === undefined) child.stdin.end();
    else child.stdin.write(watching.input);
    const collect = (into: Uint8Array[]) => (chunk: Uint8Array) => {
      into.push(chunk);
      check();
    };
    child.stdout.on("data", collect(out));
    child.stderr.on("data", collect(err));
    return new Promise((resolve) =>
      child.on("close", (code) => {
        clearTimeout(timer);
        resolve({
          stdout: normalOutput(Buffer.concat(out).toString("latin1")),
          stderr: normalOutput(Buffer.concat(err).toString("utf8")),
          code,
        });
      }),
    );
  }

  async function compare(watching: Watching): Promise<Watched> {
    const [theirs, ours] = await Promise.all([
      run([referenceProgram("etcdctl")], watching),
      run(cairnCommand("ctl"), watching),
    ]);
    expect({ watching, ...ours }).toEqual({ watching, ...theirs });
    return ours;
  }

  const ALL = ["--prefix", "w", "--rev=2"];

  test("all formats", async () => {
    await compare({ args: ["w1", "--rev=2"], lines: 9 });
    await compare({ args: ["--prev-kv", ...ALL], lines: 16 });
    await compare({ args: [...ALL, "--hex"], lines: 12 });
    await compare({ args: [...ALL, "-w", "json", "--prev-kv"], lines: 1 });
    await compare({ args: [...ALL, "-w", "fields", "--prev-kv"], lines: 40 });
    await compare({ args: ["w1", "w2", "--rev", "3", "--progress-notify"], lines: 6 });
  });

  test("programs run for events", async () => {
    const script =
      'echo $ETCD_WATCH_REVISION "$ETCD_WATCH_EVENT_TYPE" "$ETCD_WATCH_KEY" "$ETCD_WATCH_VALUE"';
    await compare({ args: [...ALL, "--", "sh", "-c", script], lines: 17 });
    await compare({ args: ["w1", "--rev=2", "--", "false"], lines: 100 });
    await compare({ args: ["w1", "--rev=2", "--", "/no/such/program", "x y"], lines: 100 });
    await compare({ args: ["w1", "--rev=2", "--", "no-such-program"], lines: 100 });
  });

  test("key from the environment", async () => {
    const environment = { ETCDCTL_WATCH_KEY: "w1", ETCDCTL_WATCH_RANGE_END: "w3" };
    await compare({ args: ["--rev=2"], environment, lines: 13 });
    await compare({ args: ["--rev=2", "--", "echo", "hi"], environment, lines: 16 });
    await compare({ args: ["w1"], environment, lines: 100 });
  });

  test("interactive", async () => {
    const lines = (...input: string[]) => `${input.join("\n")}\n`;
    await compare({ args: ["-i"], input: lines("watch w1 --rev=2"), lines: 9 });
    await compare({
      args: ["-i"],
      input: lines("bogus", " watch --prefix 'w' --rev 2"),
      lines: 14,
    });
    await compare({ args: ["-i"], input: lines("watch w1 --rev 2 -- echo hi"), lines: 12 });
    await compare({ args: ["-i"], input: lines("watch", "", "progress"), lines: 2 });
    await compare({ args: ["-i"], input: lines("watch --bogus w1"), lines: 100 });
    await compare({ args: ["-i"], input: lines("watch -h"), lines: 100 });
    await compare({ args: ["-i"], input: lines('watch "w2\\n" --prev-kv --rev=2'), lines: 4 });
  });
});
