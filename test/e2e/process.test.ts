// The server as a process: what it prints when it starts and stops, the flags it refuses, where its
// settings come from, and that two cannot have one data directory.

import { afterEach, describe, expect, test } from "bun:test";
import { existsSync, mkdtempSync, readdirSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { cairnCommand, cairnExists } from "../cairn-command.ts";
import { repositoryDirectory } from "../reference.ts";
import { freePort, type Member, memberFlags, startMember } from "../reference-etcd.ts";
import { until } from "./control-run.ts";

const testMilliseconds = 30_000;
const shortMilliseconds = 10_000;
const path = process.env.PATH ?? "";

interface Run {
  readonly exitCode: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** Runs the server with these arguments until it ends by itself. */
function run(args: readonly string[], environment: Record<string, string> = {}): Run {
  const done = Bun.spawnSync([...cairnCommand("server"), ...args], {
    cwd: repositoryDirectory,
    env: { PATH: path, ...environment },
    timeout: shortMilliseconds,
  });
  return {
    exitCode: done.exitCode,
    stdout: done.stdout.toString(),
    stderr: done.stderr.toString(),
  };
}

interface LogLine {
  readonly level: string;
  readonly ts: string;
  readonly caller: string;
  readonly msg: string;
}

function logLines(text: string): LogLine[] {
  return text
    .split("\n")
    .filter((line) => line.startsWith("{"))
    .map((line) => JSON.parse(line) as LogLine);
}

describe.skipIf(!cairnExists())("the server process", () => {
  const members: Member[] = [];
  const directories: string[] = [];
  afterEach(async () => {
    await Promise.all(members.splice(0).map((member) => member.remove()));
    for (const directory of directories.splice(0)) {
      rmSync(directory, { recursive: true, force: true });
    }
  });
  const newDirectory = (): string => {
    const directory = mkdtempSync(join(tmpdir(), "cairn-process-"));
    directories.push(directory);
    return directory;
  };
  const start = async (options: Partial<Parameters<typeof startMember>[0]> = {}) => {
    const member = await startMember({ kind: "cairn", ...options });
    members.push(member);
    return member;
  };

  test(
    "starts with the lines that scripts wait for, in JSON with etcd's keys",
    async () => {
      const member = await start();
      const lines = logLines(member.log());
      const messages = lines.map((line) => line.msg);
      expect(messages).toContain("ready to serve client requests");
      expect(messages.some((each) => each.includes("enabled capabilities for version"))).toBe(true);
      expect(messages.some((each) => each.includes("published"))).toBe(true);
      expect(messages.some((each) => each.startsWith("serving client traffic insecurely"))).toBe(
        true,
      );
      for (const line of lines) {
        expect(line.level).toMatch(/^(debug|info|warn|error|fatal)$/);
        expect(line.ts).toMatch(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}(Z|[+-]\d{4})$/);
        expect(typeof line.caller).toBe("string");
      }
    },
    testMilliseconds,
  );

  test(
    "SIGTERM and SIGINT end it cleanly and soon; what was written is there after the next start",
    async () => {
      for (const signal of ["SIGTERM", "SIGINT"] as const) {
        const first = await start();
        const body = JSON.stringify({ key: "a2V5", value: btoa(signal) });
        await fetch(`${first.url}/v3/kv/put`, { method: "POST", body });
        process.kill(first.pid, signal);
        const code = await first.exited;
        expect([0, 143, 130]).toContain(code);
        const { directory, ports } = first;
        const second = await start({ directory, ports });
        const answer = await fetch(`${second.url}/v3/kv/range`, {
          method: "POST",
          body: JSON.stringify({ key: "a2V5" }),
        });
        expect(JSON.stringify(await answer.json())).toContain(btoa(signal));
        await second.stop();
      }
    },
    testMilliseconds,
  );

  test("--version prints four lines", () => {
    for (const flag of ["--version", "-version"]) {
      const { exitCode, stdout } = run([flag]);
      expect(exitCode).toBe(0);
      const lines = stdout.trimEnd().split("\n");
      expect(lines.length).toBe(4);
      expect(lines[0]).toMatch(/^etcd Version: 3\.7\.\d+$/);
      expect(lines[1]).toMatch(/^Git SHA: \S+/);
      expect(lines[2]).toMatch(/^Go Version: \S+/);
      expect(lines[3]).toMatch(/^Go OS\/Arch: \w+\/\w+$/);
    }
  });

  test("-h prints help and ends well", () => {
    const { exitCode, stdout, stderr } = run(["-h"]);
    expect(exitCode).toBe(0);
    expect(stdout + stderr).toContain("--data-dir");
    expect(stdout + stderr).toContain("--listen-client-urls");
  });

  const refusals: [name: string, args: string[], code: number, text: string][] = [
    ["an unknown flag", ["--nosuch"], 2, "flag provided but not defined: -nosuch"],
    ["an unknown flag with a value", ["--nosuch=1"], 2, "flag provided but not defined: -nosuch"],
    [
      "a number that is none",
      ["--heartbeat-interval=abc"],
      2,
      'invalid value "abc" for flag -heartbeat-interval: parse error',
    ],
    [
      "a URL that is none",
      ["--listen-peer-urls=foo"],
      2,
      'invalid value "foo" for flag -listen-peer-urls: URL scheme must be http, https, unix, or unixs: foo',
    ],
    [
      "an enum that is none",
      ["--initial-cluster-state=foo"],
      2,
      'invalid value "foo" for flag -initial-cluster-state: invalid value',
    ],
    ["a leftover word", ["extra-arg"], 1, "extra-arg"],
    ["a bool with a space", ["--pre-vote", "false"], 1, "is not a valid flag"],
    [
      "an election timeout under five heartbeats",
      ["--heartbeat-interval=300"],
      1,
      "--election-timeout[1000ms] should be at least as 5 times as --heartbeat-interval[300ms]",
    ],
    [
      "an election timeout that is too long",
      ["--election-timeout=60000"],
      1,
      "--election-timeout[60000ms] is too long, and should be set less than 50000ms",
    ],
    [
      "a host name to listen on",
      ["--listen-peer-urls=http://example.com:2380"],
      1,
      "expected IP in URL for binding (http://example.com:2380)",
    ],
    [
      "client URLs to listen on, none to advertise",
      ["--listen-client-urls=http://127.0.0.1:1"],
      1,
      "--advertise-client-urls is required when --listen-client-urls is set explicitly",
    ],
    [
      "a mode of compaction that is none",
      ["--auto-compaction-mode=foo", "--auto-compaction-retention=1"],
      1,
      'unknown auto-compaction-mode "foo"',
    ],
  ];
  for (const [name, args, code, text] of refusals) {
    test(`refuses ${name}`, () => {
      const directory = newDirectory();
      const { exitCode, stdout, stderr } = run([...args], { ETCD_DATA_DIR: directory });
      // A message inside a JSON log line has its quotes escaped.
      expect((stdout + stderr).replaceAll('\\"', '"')).toContain(text);
      expect(exitCode).toBe(code);
    });
  }

  test("refuses an option given as flag and as variable", () => {
    const environment = { ETCD_NAME: "a", ETCD_DATA_DIR: newDirectory() };
    const { exitCode, stdout, stderr } = run(["--name=b"], environment);
    expect(stdout + stderr).toContain(
      "conflicting environment variable is shadowed by corresponding command-line flag",
    );
    expect(exitCode).toBe(1);
  });

  test("refuses a variable of a wrong value", () => {
    const environment = { ETCD_HEARTBEAT_INTERVAL: "abc", ETCD_DATA_DIR: newDirectory() };
    const { exitCode, stdout, stderr } = run([], environment);
    expect((stdout + stderr).replaceAll('\\"', '"')).toContain(
      'invalid value "abc" for ETCD_HEARTBEAT_INTERVAL: parse error',
    );
    expect(exitCode).toBe(1);
  });

  test(
    "takes everything from ETCD_ variables, and only warns of unknown ones",
    async () => {
      const directory = newDirectory();
      const ports = { client: await freePort(), peer: await freePort() };
      const data = join(directory, "data");
      const flags = memberFlags({ kind: "cairn" }, ports, data);
      const environment: Record<string, string> = { PATH: path, ETCD_NOSUCH_SETTING: "1" };
      for (let index = 0; index < flags.length; index += 2) {
        const name = flags[index]!.slice(2).toUpperCase().replaceAll("-", "_");
        environment[`ETCD_${name}`] = flags[index + 1]!;
      }
      const child = Bun.spawn(cairnCommand("server"), {
        cwd: repositoryDirectory,
        env: environment,
        stdin: "ignore",
        stdout: "ignore",
        stderr: "pipe",
      });
      try {
        await until(() => isServing(ports.client));
        expect(existsSync(join(data, "member", "snap", "db"))).toBe(true);
      } finally {
        child.kill("SIGTERM");
      }
      const log = await new Response(child.stderr).text();
      expect(log).toContain("recognized and used environment variable");
      expect(log).toContain("unrecognized environment variable");
      expect(log).toContain("ETCD_NOSUCH_SETTING");
    },
    testMilliseconds,
  );

  test(
    "makes its folders for itself alone",
    async () => {
      const member = await start();
      const modeOf = (name: string) => statSync(join(member.dataDirectory, name)).mode & 0o777;
      expect(modeOf("")).toBe(0o700);
      expect(modeOf("member")).toBe(0o700);
      expect(modeOf("member/snap/db")).toBe(0o600);
      expect(readdirSync(join(member.dataDirectory, "member")).toSorted()).toEqual(["snap", "wal"]);
    },
    testMilliseconds,
  );

  test(
    "a second process on the same data directory does not serve while the first lives",
    async () => {
      const first = await start();
      const ports = { client: await freePort(), peer: await freePort() };
      const logged: string[] = [];
      const second = Bun.spawn(
        [...cairnCommand("server"), ...memberFlags({ kind: "cairn" }, ports, first.dataDirectory)],
        { cwd: repositoryDirectory, env: { PATH: path }, stdout: "ignore", stderr: "pipe" },
      );
      let ended = false;
      second.exited.then(() => {
        ended = true;
      });
      try {
        const reading = collect(second.stderr, logged);
        await until(() => ended || logged.join("").includes("starting an etcd server"));
        const body = JSON.stringify({ key: "a2V5", value: "djE=" });
        const answer = await fetch(`${first.url}/v3/kv/put`, { method: "POST", body });
        expect(answer.status).toBe(200);
        expect(await isServing(ports.client)).toBe(false);
        await first.kill();
        // etcd waits for the lock and takes over; giving up with an error is right too.
        await until(async () => ended || (await isServing(ports.client)));
        if (ended) expect(second.exitCode).not.toBe(0);
        second.kill("SIGKILL");
        await reading;
      } finally {
        second.kill("SIGKILL");
      }
    },
    testMilliseconds,
  );

  test("a port in use is an error that names it", async () => {
    const first = await start();
    const flags = memberFlags(
      { kind: "cairn" },
      { client: first.ports.client, peer: await freePort() },
      join(newDirectory(), "data"),
    );
    const { exitCode, stdout, stderr } = run(flags);
    expect(stdout + stderr).toContain("address already in use");
    expect(exitCode).toBe(1);
  });

  test(
    "needs no HOME and no TMPDIR, and no open standard input",
    async () => {
      const member = await start({ environment: {} });
      expect(await isServing(member.ports.client)).toBe(true);
    },
    testMilliseconds,
  );
});

async function isServing(port: number): Promise<boolean> {
  try {
    const answer = await fetch(`http://127.0.0.1:${port}/health`, {
      signal: AbortSignal.timeout(1000),
    });
    return answer.status === 200;
  } catch {
    return false;
  }
}

async function collect(stream: ReadableStream<Uint8Array>, into: string[]): Promise<void> {
  for await (const bytes of stream) into.push(new TextDecoder().decode(bytes));
}
