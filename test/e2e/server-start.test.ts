// Command lines that a server refuses or answers at once, beside the real etcd: exit code, which stream says
// something, and what.

import { afterAll, describe, expect, test } from "bun:test";
import { describeWithReference } from "../reference.ts";
import { serverCommand } from "../reference-etcd.ts";
import type { Ended } from "./run-program.ts";
import {
  LIMIT_MS,
  memberFlags,
  newDirectory,
  removeServerDirectories,
  run,
} from "./server-process.ts";

afterAll(removeServerDirectories);

/** The refusal: the first plain line, or the error of the last warning or fatal line. */
function refusalOf(ended: Ended): string {
  const lines = ended.stderr.split("\n").filter((line) => line !== "");
  const plain = lines.find((line) => !line.startsWith("{"));
  if (plain !== undefined) return plain.replace(/^panic: /, "");
  for (const line of lines.reverse()) {
    const { level, msg, error, ...fields } = JSON.parse(line) as Record<string, string>;
    if (level !== "warn" && level !== "fatal") continue;
    return error ?? `${msg} ${fields["environment-variable"] ?? ""}`;
  }
  return "";
}

/** Texts that newer versions write in another way. */
function likeNewer(text: string): string {
  return text
    .replace(/^'(.*)' is not a valid flag$/, '"$1" is not a valid flag')
    .replace("--experimental-compact-hash-check-time", "--compact-hash-check-time");
}

const REFUSED: readonly (readonly [string[], Record<string, string>?])[] = [
  [["--nosuch"]],
  [["--heartbeat-interval=abc"]],
  [["--heartbeat-interval=-1"]],
  [["--heartbeat-interval=99999999999999999999"]],
  [["--heartbeat-interval"]],
  [["--quota-backend-bytes=1.5"]],
  [["--pre-vote=maybe"]],
  [["--pre-vote", "false"]],
  [["--grpc-keepalive-min-time=5"]],
  [["--max-concurrent-streams=4294967296"]],
  [["--initial-cluster-state=foo"]],
  [["--discovery-fallback=foo"]],
  [["--v2-deprecation=zz"]],
  [["--listen-peer-urls=foo"]],
  [["--listen-peer-urls=127.0.0.1:2380"]],
  [["--listen-peer-urls=http://127.0.0.1"]],
  [["--listen-peer-urls=http://127.0.0.1:2380/"]],
  [["--listen-client-urls=http://127.0.0.1:0"]],
  [["--listen-client-urls=http://example.com:1", "--advertise-client-urls=http://x:1"]],
  [["--log-level=foo"]],
  [["--logger=foo"]],
  [["--log-outputs=default,stderr"]],
  [["--heartbeat-interval=300"]],
  [["--heartbeat-interval=0"]],
  [["--election-timeout=60000"]],
  [["--auto-compaction-mode=foo"]],
  [["--initial-cluster=default=http://localhost:2380", "--discovery=http://x"]],
  [["extra"]],
  [["--", "--name=a"]],
  [["---x"]],
  [["--tls-min-version=foo"]],
  [["--tls-min-version=TLS1.3", "--tls-max-version=TLS1.2"]],
  [["--config-file=/nofile"]],
  [["--experimental-compact-hash-check-time=0s"]],
  [["--cors=foo"]],
  [["--version", "extra"]],
  [["--name=b"], { ETCD_NAME: "a" }],
  [["--name=b"], { ETCD_NAME: "" }],
  [[], { ETCD_HEARTBEAT_INTERVAL: "abc" }],
  [[], { ETCD_HEARTBEAT_INTERVAL: "300" }],
  [[], { ETCD_LISTEN_PEER_URLS: "foo" }],
  [[], { ETCD_CONFIG_FILE: "/nofile" }],
  [["--name=b", "--nosuch"], { ETCD_NAME: "a" }],
];

/** Refused only once listeners are tried: on ports of their own. */
const REFUSED_LATER: readonly string[][] = [
  ["--auto-compaction-retention=abc"],
  ["--name=x", "--initial-cluster=y=http://127.0.0.1:1"],
  ["--initial-cluster=m=http://127.0.0.1:1"],
  ["--initial-cluster=a"],
  ["--initial-cluster=m=http://127.0.0.1:2,b=http://127.0.0.1:2"],
  ["--cipher-suites=FOO"],
  ["--listen-metrics-urls=http://127.0.0.1:99999"],
  ["--data-dir=/proc/nowhere"],
];

describeWithReference("a refused start, beside the real etcd", () => {
  const compare = async (args: readonly string[], environment: Record<string, string> = {}) => {
    // One after the other: they are given the same ports.
    const real = await run("etcd", args, environment);
    const ours = await run("cairn", args, environment);
    expect(ours.code).toBe(real.code);
    expect(ours.stdout).toBe(real.stdout);
    expect(refusalOf(ours)).toBe(likeNewer(refusalOf(real)));
    if (real.code === 2 && /^Usage:$/m.test(real.stderr)) {
      expect(ours.stderr).toContain("\nUsage:\n\n  etcd [flags]\n    Start an etcd server.\n");
    }
  };
  for (const [args, environment] of REFUSED) {
    test(`${JSON.stringify(environment ?? {})} ${args.join(" ")}`, () =>
      compare(args, environment));
  }
  for (const args of REFUSED_LATER) {
    test(args.join(" "), async () => compare([...(await memberFlags()), ...args]));
  }
  test("a port in use", async () => {
    const taken = Bun.listen({ hostname: "127.0.0.1", port: 0, socket: { data() {} } });
    try {
      await compare([
        ...(await memberFlags()),
        `--listen-metrics-urls=http://127.0.0.1:${taken.port}`,
      ]);
    } finally {
      taken.stop(true);
    }
  });
});

describe("answers without a member", () => {
  test.each([["--version"], ["-version"], ["--version=T"]])("%s is four lines", async (flag) => {
    const ended = await run("cairn", [flag], { ETCD_NAME: "a" });
    expect(ended.code).toBe(0);
    expect(ended.stderr).toBe("");
    const lines = ended.stdout.trimEnd().split("\n");
    expect(lines.map((line) => line.split(": ")[0])).toEqual([
      "etcd Version",
      "Git SHA",
      "Go Version",
      "Go OS/Arch",
    ]);
    expect(lines[0]).toMatch(/^etcd Version: \d+\.\d+\.\d+$/);
  });

  test("-h writes the usage to stderr and the flags to stdout", async () => {
    const ended = await run("cairn", ["--name=x", "-h", "--nosuch"]);
    expect(ended.code).toBe(0);
    expect(ended.stderr).toStartWith("Usage:\n\n  etcd [flags]\n");
    expect(ended.stdout).toContain("\nMember:\n  --name 'default'\n    ");
    expect(ended.stdout).toContain("\n  --listen-client-urls 'http://localhost:2379'\n    ");
  });

  test("every line of a refusal's log is JSON with etcd's keys in etcd's order", async () => {
    const ended = await run("cairn", ["--heartbeat-interval=300"], { ETCD_FOO: "1" });
    const lines = ended.stderr.trimEnd().split("\n");
    expect(lines.length).toBe(3);
    for (const line of lines) {
      expect(line).toMatch(
        /^\{"level":"\w+","ts":"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z","caller":"[^"]+","msg":"/,
      );
    }
  });

  test("few file descriptors are fatal", async () => {
    if (process.platform !== "linux") return;
    const flags = await memberFlags();
    const command = [...serverCommand("cairn"), ...flags].join(" ");
    const child = Bun.spawnSync({
      cmd: ["sh", "-c", `ulimit -n 120; exec ${command}`],
      cwd: newDirectory(),
      env: { PATH: process.env.PATH ?? "" },
      timeout: LIMIT_MS,
    });
    expect(child.exitCode).toBe(1);
    expect(child.stderr.toString()).toContain("file descriptor limit of etcd process is too low");
  });
});
