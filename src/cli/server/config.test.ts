// From what was given to the configuration as a whole: relations between settings, defaults, and the file.
import { afterAll, expect, test } from "bun:test";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { makeConfig } from "./config.ts";
import { readConfigFile } from "./config-file.ts";
import { ConfigProblem } from "./config-problem.ts";
import { parseFeatureGates } from "./feature-gates.ts";
import { parseArguments } from "./parse-arguments.ts";
import { retentionOf } from "./retention.ts";

const directory = mkdtempSync(join(tmpdir(), "cairn-config-"));
afterAll(() => rmSync(directory, { recursive: true }));

function fromArguments(...args: string[]) {
  const line = parseArguments(args);
  if (line instanceof ConfigProblem) throw new Error(line.message);
  return makeConfig(line.given, () => "192.0.2.7");
}

function configOf(made: ReturnType<typeof makeConfig>) {
  if (made instanceof ConfigProblem) throw new Error(made.message);
  return made.config;
}

function refusal(made: unknown): string {
  return made instanceof ConfigProblem ? `${made.kind}: ${made.message}` : "not refused";
}

function fromFile(text: string) {
  const path = join(directory, "config.yml");
  writeFileSync(path, text);
  const given = readConfigFile(path);
  return given instanceof ConfigProblem ? given : makeConfig(given);
}

test("makeConfig fills in what follows from other settings", () => {
  const config = configOf(fromArguments("--name=a", "--initial-advertise-peer-urls=http://b:1"));
  expect(config["data-dir"]).toBe("a.etcd");
  expect(config["wal-dir"]).toBe("a.etcd/member/wal");
  expect(config["initial-cluster"]).toBe("a=http://b:1");
  expect(config["snapshot-count"]).toBe(10_000);
  expect(config["grpc-keepalive-interval"]).toBe(7_200_000);
});

test("makeConfig advertises the default host only for listeners on all addresses", () => {
  const open = configOf(fromArguments("--listen-peer-urls=http://0.0.0.0:2381"));
  expect(open["initial-advertise-peer-urls"]).toEqual(["http://192.0.2.7:2381"]);
  expect(open["advertise-client-urls"]).toEqual(["http://localhost:2379"]);
  const named = configOf(
    fromArguments(
      "--listen-peer-urls=http://0.0.0.0:2380",
      "--initial-advertise-peer-urls=http://10.0.0.1:2380",
    ),
  );
  expect(named["initial-advertise-peer-urls"]).toEqual(["http://10.0.0.1:2380"]);
});

test.each([
  [["--listen-client-urls=http://127.0.0.1:1"], "verify: --advertise-client-urls is required"],
  [["--listen-peer-urls=http://example.com:1"], "verify: expected IP in URL for binding (http://e"],
  [["--listen-metrics-urls=http://:1"], "verify: expected IP in URL for binding (http://:1)"],
  [["--heartbeat-interval=0"], "verify: --heartbeat-interval must be >0 (set to 0ms)"],
  [["--heartbeat-interval=201"], "verify: --election-timeout[1000ms] should be at least as 5"],
  [["--election-timeout=50001"], "verify: --election-timeout[50001ms] is too long"],
  [["--auto-compaction-mode=foo"], 'verify: unknown auto-compaction-mode "foo"'],
  [["--auto-compaction-retention=abc"], "start: error parsing CompactionRetention: time: inv"],
  [["--tls-min-version=TLS1.1"], 'verify: unexpected TLS version "TLS1.1" (must be one of: TLS1'],
  [["--log-level=loud"], 'panic: unrecognized level: "loud"'],
  [["--log-format=xml"], "verify: unknown log format: xml"],
  [["--log-outputs=default,stderr"], 'verify: multi logoutput for "default" is not supported'],
  [["--logger=capnslog"], "verify: --logger=capnslog is removed in v3.5"],
  [["--listen-metrics-urls=https://127.0.0.1:1"], "start: client TLS key/cert (--cert-file, --k"],
  [["--listen-peer-urls=https://127.0.0.1:1"], "start: cannot listen on TLS for 127.0.0.1:1: Key"],
  [["--listen-metrics-urls=http://127.0.0.1:70000"], "start: listen tcp: address 70000: invalid"],
  [["--discovery=http://a", "--initial-cluster=a=b"], "verify: multiple discovery or bootstrap"],
  [["--cipher-suites=FOO"], 'start: unexpected TLS cipher suite "FOO"'],
  [["--feature-gates=Nosuch=true"], "verify: unrecognized feature gate: Nosuch"],
  [["--discovery-token=t"], "verify: --discovery-token=t is not supported by this version"],
  [["--proxy=on"], "verify: --proxy=on is not supported by this version"],
] as const)("makeConfig refuses %p", (args, start) => {
  expect(refusal(fromArguments(...args)).slice(0, start.length)).toBe(start);
});

test("makeConfig takes a flag of a later version when it says what holds anyway", () => {
  configOf(fromArguments("--auto-tls=false", "--auth-token=simple", "--unsafe-no-fsync=F"));
});

test("makeConfig says which settings mean nothing, unless they say what holds anyway", () => {
  const made = fromArguments("--max-wals=7", "--max-snapshots=5", "--data-dir=d");
  if (made instanceof ConfigProblem) throw new Error(made.message);
  expect(made.notices.map((notice) => notice.message)).toEqual([
    "--max-wals has no effect in cairn",
  ]);
});

test("readConfigFile reads flat keys, sections, durations in nanoseconds, and skips the rest", () => {
  const config = configOf(
    fromFile(`
name: n1
Snapshot-Count: 5
quota-backend-bytes: -1
listen-client-urls: http://127.0.0.1:2, http://127.0.0.1:1
experimental-watch-progress-notify-interval: 5000000000
grpc-keepalive-min-time: 1500000000
log-outputs: [stderr, stdout]
enable-grpc-gateway: off
cert-file: flat-keys-of-tls-are-ignored
client-transport-security:
  cert-file: c.pem
  key-file: k.pem
  client-cert-auth: true
peer-transport-security: { trusted-ca-file: ca.pem }
no-such-key: { a: [1] }
data-dir: null
`),
  );
  expect(config.name).toBe("n1");
  expect(config["snapshot-count"]).toBe(5);
  expect(config["quota-backend-bytes"]).toBe(-1);
  expect(config["listen-client-urls"]).toEqual(["http://127.0.0.1:1", "http://127.0.0.1:2"]);
  expect(config["watch-progress-notify-interval"]).toBe(5000);
  expect(config["grpc-keepalive-min-time"]).toBe(1500);
  expect(config["log-outputs"]).toEqual(["stderr", "stdout"]);
  expect(config["enable-grpc-gateway"]).toBe(false);
  expect(config["cert-file"]).toBe("c.pem");
  expect(config["client-cert-auth"]).toBe(true);
  expect(config["peer-trusted-ca-file"]).toBe("ca.pem");
  expect(config["data-dir"]).toBe("n1.etcd");
  expect(config["advertise-client-urls"]).toEqual(["http://localhost:2379"]);
});

test("readConfigFile reads JSON, and an empty file is all defaults", () => {
  expect(configOf(fromFile('{"name": "j", "heartbeat-interval": 50}')).name).toBe("j");
  expect(configOf(fromFile("")).name).toBe("default");
});

test("a configuration file cannot ask for what is not there either", () => {
  expect(refusal(fromFile("peer-transport-security: {auto-tls: true}"))).toBe(
    "verify: --peer-auto-tls=true is not supported by this version of cairn",
  );
});

test("names that peers may have come from the file, as one kind or the other", () => {
  const config = configOf(fromFile("peer-transport-security: {allowed-cn: [a, b]}"));
  expect(config["peer-cert-allowed-cn"]).toEqual(["a", "b"]);
  expect(
    refusal(fromArguments("--peer-cert-allowed-cn=a,b", "--peer-cert-allowed-hostname=c")),
  ).toBe(
    'start: AllowedCNs and AllowedHostnames are mutually exclusive (cns=["a" "b"], hostnames=["c"])',
  );
  expect(refusal(fromArguments("--peer-client-cert-file=c"))).toBe(
    "start: ClientKeyFile and ClientCertFile must both be present or both absent: key: , cert: c]",
  );
});

const JSON_ERROR = "verify: error unmarshaling JSON: while decoding JSON: json: cannot unmarshal ";

test.each([
  [
    "max-txn-ops: x",
    `${JSON_ERROR}string into Go struct field configYAML.Config.max-txn-ops of type uint`,
  ],
  [
    "max-txn-ops: -1",
    `${JSON_ERROR}number -1 into Go struct field configYAML.Config.max-txn-ops of type uint`,
  ],
  [
    "snapshot-count: 1.5",
    `${JSON_ERROR}number 1.5 into Go struct field configYAML.Config.snapshot-count of type uint64`,
  ],
  [
    "grpc-keepalive-min-time: 5s",
    `${JSON_ERROR}string into Go struct field configYAML.Config.grpc-keepalive-min-time of type time.Duration`,
  ],
  [
    "listen-peer-urls: [a]",
    `${JSON_ERROR}array into Go struct field configYAML.configJSON.listen-peer-urls of type string`,
  ],
  [
    "log-outputs: stderr",
    `${JSON_ERROR}string into Go struct field configYAML.Config.log-outputs of type []string`,
  ],
  ["- a", `${JSON_ERROR}array into Go value of type embed.configYAML`],
  [
    "client-transport-security: {client-cert-auth: 5}",
    `${JSON_ERROR}number into Go struct field securityConfig.configJSON.client-transport-security.client-cert-auth of type bool`,
  ],
  ["initial-cluster-state: foo", 'verify: unexpected clusterState "foo"'],
  [
    "listen-peer-urls: foo",
    "plain: unexpected error setting up listen-peer-urls: URL scheme must be http, https, unix, or unixs: foo",
  ],
  ["a: b: c", "verify: error converting YAML to JSON: yaml: "],
] as const)("readConfigFile refuses %p", (text, expected) => {
  expect(refusal(fromFile(text)).slice(0, expected.length)).toBe(expected);
});

test("readConfigFile names the file that is not there", () => {
  expect(refusal(readConfigFile("/nofile"))).toBe(
    "verify: open /nofile: no such file or directory",
  );
});

test.each([
  ["periodic", "0", { mode: "off" }],
  ["periodic", "0s", { mode: "off" }],
  ["periodic", "2", { mode: "periodic", periodMs: 7_200_000 }],
  ["periodic", "10m", { mode: "periodic", periodMs: 600_000 }],
  ["revision", "1000", { mode: "revision", revisions: 1000 }],
  ["revision", "1ms", { mode: "revision", revisions: 1_000_000 }],
] as const)("retentionOf %s %s", (mode, text, expected) => {
  expect(retentionOf(mode, text)).toEqual(expected);
});

test.each(["-1", "x", "-5m", ""])("retentionOf refuses %p", (text) => {
  expect(retentionOf("periodic", text)).toBeInstanceOf(ConfigProblem);
});

test("parseFeatureGates: names, groups, and gates whose feature is missing", () => {
  const gates = parseFeatureGates("LeaseCheckpointPersist=false, AllAlpha=true");
  if (gates instanceof ConfigProblem) throw new Error(gates.message);
  expect(gates.get("LeaseCheckpoint")).toBe(true);
  expect(gates.get("LeaseCheckpointPersist")).toBe(false);
  expect(gates.get("PriorityRequest")).toBe(false);
  expect(refusal(parseFeatureGates("PriorityRequest=true"))).toContain("is not supported");
  expect(refusal(parseFeatureGates("LeaseCheckpoint"))).toContain("missing bool value");
  expect(refusal(parseFeatureGates("LeaseCheckpoint=5"))).toContain("must be true or false");
  const contradiction = "LeaseCheckpoint=false,LeaseCheckpointPersist=true";
  expect(refusal(parseFeatureGates(contradiction))).toContain("requires enabling");
  for (const [text, isOn] of [
    ["", true],
    ["LeaseCheckpoint=false", false],
    ["AllAlpha=false", false],
  ] as const) {
    const settings = parseFeatureGates(text);
    if (settings instanceof ConfigProblem) throw new Error(settings.message);
    expect(settings.get("LeaseCheckpoint")).toBe(isOn);
    expect(settings.get("LeaseCheckpointPersist")).toBe(isOn);
  }
});
