// The command line and the environment: what is taken, what is refused, and how.
import { expect, test } from "bun:test";
import { ConfigProblem } from "./config-problem.ts";
import { FLAGS } from "./flag-table.ts";
import { readValue } from "./flag-values.ts";
import { parseArguments } from "./parse-arguments.ts";
import { readEnvironment } from "./read-environment.ts";

function values(...args: string[]): Record<string, string> {
  const line = parseArguments(args);
  if (line instanceof ConfigProblem) throw new Error(line.message);
  return Object.fromEntries(line.given.values);
}

function problem(...args: string[]): [string, string] {
  const line = parseArguments(args);
  if (!(line instanceof ConfigProblem)) throw new Error("not refused");
  return [line.kind, line.message];
}

function environment(variables: Record<string, string>, ...args: string[]) {
  const line = parseArguments(args);
  if (line instanceof ConfigProblem) throw new Error(line.message);
  const refused = readEnvironment(variables, line);
  return { refused, given: line.given };
}

test("parseArguments takes every form of a flag, and the last of several", () => {
  expect(values("-name", "a", "--data-dir=b", "--wal-dir", "", "-pre-vote")).toEqual({
    name: "a",
    "data-dir": "b",
    "wal-dir": "",
    "pre-vote": "true",
  });
  expect(values("--name=a=b", "--name=c=d")).toEqual({ name: "c=d" });
  expect(values("--name", "--data-dir")).toEqual({ name: "--data-dir" });
  expect(values("--name=a", "--")).toEqual({ name: "a" });
});

test.each([
  [["--nosuch"], "usage", "flag provided but not defined: -nosuch"],
  [["--nosuch=1"], "usage", "flag provided but not defined: -nosuch"],
  [["--name"], "usage", "flag needs an argument: -name"],
  [["---name=a"], "usage", "bad flag syntax: ---name=a"],
  [["--=a"], "usage", "bad flag syntax: --=a"],
  [["-=a"], "usage", "bad flag syntax: -=a"],
  [["--pre-vote=x"], "usage", 'invalid boolean value "x" for -pre-vote: parse error'],
  [["--max-wals=x"], "usage", 'invalid value "x" for flag -max-wals: parse error'],
  [["--max-wals=-1"], "usage", 'invalid value "-1" for flag -max-wals: parse error'],
  [["extra"], "verify", '"extra" is not a valid flag'],
  [["--pre-vote", "false"], "verify", '"false" is not a valid flag'],
  [["extra", "--nosuch"], "verify", '"extra" is not a valid flag'],
  [["--", "--name=a"], "verify", '"--name=a" is not a valid flag'],
  [["-"], "verify", '"-" is not a valid flag'],
  [[""], "verify", '"" is not a valid flag'],
  [
    ["--downgrade-check-time=1s", "--experimental-downgrade-check-time=2s"],
    "verify",
    "cannot set both --downgrade-check-time and --experimental-downgrade-check-time at the same time, " +
      "please use --downgrade-check-time only",
  ],
] as const)("parseArguments refuses %p", (args, kind, message) => {
  expect(problem(...args)).toEqual([kind, message]);
});

test("parseArguments stops at -h, whatever comes behind it", () => {
  for (const word of ["-h", "--help", "-help", "--h"]) {
    const line = parseArguments(["--name=a", word, "--nosuch"]);
    expect(line instanceof ConfigProblem ? line.message : line.help).toBe(true);
  }
});

test("parseArguments translates the names of older versions and says so", () => {
  const line = parseArguments([
    "--experimental-watch-progress-notify-interval=5s",
    "--experimental-enable-lease-checkpoint",
    "--experimental-enable-lease-checkpoint-persist=true",
    "--enable-v2",
    "--proxy=off",
    "--snapshot",
  ]);
  if (line instanceof ConfigProblem) throw new Error(line.message);
  expect(line.given.values.get("watch-progress-notify-interval")).toBe("5s");
  expect(line.given.values.get("feature-gates")).toBe(
    "LeaseCheckpoint=true,LeaseCheckpointPersist=true",
  );
  expect(line.given.notices.map((notice) => notice.message)).toEqual([
    "--experimental-watch-progress-notify-interval is deprecated; use --watch-progress-notify-interval",
    "--experimental-enable-lease-checkpoint is deprecated; use --feature-gates=LeaseCheckpoint=true",
    "--experimental-enable-lease-checkpoint-persist is deprecated; " +
      "use --feature-gates=LeaseCheckpointPersist=true",
    "--enable-v2 is deprecated in 3.5 and will be decommissioned in 3.6.",
    "--proxy is deprecated in 3.5 and will be decommissioned in 3.6.",
    "--snapshot has no effect",
  ]);
});

test("readEnvironment uses what is set, skips what is empty, warns of what nobody knows", () => {
  const { refused, given } = environment({
    ETCD_NAME: "n1",
    ETCD_DATA_DIR: "",
    ETCD_PROXY: "off",
    ETCD_EXPERIMENTAL_INITIAL_CORRUPT_CHECK: "false",
    ETCD_ENABLE_SYSTEMD_NOTIFY: "1",
    ETCD_VERSION: "3.4",
    ETCD_VERIFY: "all",
    ETCD_UNSUPPORTED_ARCH: "arm64",
    ETCDCTL_API: "3",
    PATH: "/bin",
  });
  expect(refused).toBeNull();
  expect(Object.fromEntries(given.values)).toEqual({
    name: "n1",
    proxy: "off",
    "feature-gates": "InitialCorruptCheck=false",
  });
  const uses = given.notices.filter((notice) => notice.level === "info");
  expect(uses.map((notice) => notice.fields["variable-name"])).toEqual([
    "ETCD_EXPERIMENTAL_INITIAL_CORRUPT_CHECK",
    "ETCD_NAME",
    "ETCD_PROXY",
  ]);
  const unknown = given.notices.filter((notice) => /environment variable/.test(notice.message));
  expect(unknown.slice(3).map((notice) => Object.values(notice.fields))).toEqual([
    ["ETCD_ENABLE_SYSTEMD_NOTIFY=1"],
    ["ETCD_VERSION", "3.4"],
  ]);
});

test("readEnvironment refuses an option that is on the command line too, even an empty one", () => {
  for (const value of ["a", ""]) {
    const { refused } = environment({ ETCD_NAME: value }, "--name=b");
    expect(refused?.kind).toBe("conflict");
    expect(refused?.fields).toEqual({ "environment-variable": "ETCD_NAME" });
  }
});

test("readEnvironment names the variable of a bad value", () => {
  const { refused } = environment({ ETCD_HEARTBEAT_INTERVAL: "abc" });
  expect(refused?.message).toBe('invalid value "abc" for ETCD_HEARTBEAT_INTERVAL: parse error');
});

function read(name: string, text: string): unknown {
  const parsed = readValue(FLAGS.get(name)!, text);
  return "value" in parsed ? parsed.value : parsed.failure;
}

const SCHEME = "URL scheme must be http, https, unix, or unixs: ";
const FORM = 'URL address does not have the form "host:port": ';

test.each([
  ["max-wals", "0x10", 16],
  ["max-wals", "017", 15],
  ["max-wals", "1_000", 1000],
  ["max-wals", "18446744073709551616", "value out of range"],
  ["quota-backend-bytes", "-1", -1],
  ["quota-backend-bytes", "1.5", "parse error"],
  ["max-concurrent-streams", "4294967295", 4294967295],
  [
    "max-concurrent-streams",
    "4294967296",
    'strconv.ParseUint: parsing "4294967296": value out of range',
  ],
  ["max-concurrent-streams", "x", 'strconv.ParseUint: parsing "x": invalid syntax'],
  ["grpc-keepalive-interval", "1h30m", 5_400_000],
  ["grpc-keepalive-interval", "1.5s", 1500],
  ["grpc-keepalive-interval", "5", "parse error"],
  ["pre-vote", "F", false],
  ["pre-vote", "yes", "parse error"],
  ["initial-cluster-state", "foo", "invalid value"],
  ["v2-deprecation", "zz", 'invalid value "zz"'],
  ["discovery-fallback", "proxy", "proxy"],
  ["listen-peer-urls", "http://b:2, http://a:1,http://b:2", ["http://a:1", "http://b:2"]],
  ["listen-peer-urls", "", []],
  ["listen-peer-urls", "unix://some.sock:1", ["unix://some.sock:1"]],
  ["listen-peer-urls", "http://[::1]:2380", ["http://[::1]:2380"]],
  ["listen-peer-urls", "foo", `${SCHEME}foo`],
  ["listen-peer-urls", "localhost:2380", `${SCHEME}localhost:2380`],
  ["listen-peer-urls", "ftp://a:1", `${SCHEME}ftp://a:1`],
  [
    "listen-peer-urls",
    "127.0.0.1:2380",
    'parse "127.0.0.1:2380": first path segment in URL cannot contain colon',
  ],
  ["listen-peer-urls", ":foo", 'parse ":foo": missing protocol scheme'],
  ["listen-peer-urls", "http://a", `${FORM}http://a`],
  ["listen-peer-urls", "http://::1:2380", `${FORM}http://::1:2380`],
  ["listen-peer-urls", "http://a:b", 'parse "http://a:b": invalid port ":b" after host'],
  ["listen-peer-urls", "http://a:1/", "URL must not contain a path: http://a:1/"],
  ["cors", "*", ["*"]],
  ["cors", "*,http://a:1", `${SCHEME}*`],
  ["cors", "", SCHEME],
  ["host-whitelist", "a, b,a,", ["a", "b"]],
] as const)("readValue of %s %p", (name, text, expected) => {
  expect(read(name, text)).toEqual(expected as unknown);
});
