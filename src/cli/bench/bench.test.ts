// The whole of `cairn bench` as a process: each workload for a moment against a cairn, and the disk.

import { afterAll, beforeAll, expect, test } from "bun:test";
import { mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { cairnCommand } from "../../../test/cairn-command.ts";
import { CertificateDirectory, makeAuthority } from "../../../test/certificates.ts";
import { type Member, startMember } from "../../../test/reference-etcd.ts";

let member: Member | undefined;
let directory = "";

beforeAll(async () => {
  directory = mkdtempSync(join(tmpdir(), "cairn-test-bench-"));
  member = await startMember({ kind: "cairn" });
});

afterAll(async () => {
  await member?.remove();
  rmSync(directory, { recursive: true });
});

async function bench(...args: string[]): Promise<{ code: number; out: string; err: string }> {
  const child = Bun.spawn([...cairnCommand("bench"), ...args], { stdout: "pipe", stderr: "pipe" });
  const [out, err] = await Promise.all([
    new Response(child.stdout).text(),
    new Response(child.stderr).text(),
  ]);
  return { code: await child.exited, out, err };
}

async function benchJson(...args: string[]) {
  const { code, out, err } = await bench(...args, "--json");
  expect([code, err]).toEqual([0, ""]);
  return JSON.parse(out);
}

const load = ["--clients", "8", "--conns", "2", "--total", "400", "--key-space-size", "100"];

test("put, range and txn", async () => {
  const endpoints = `--endpoints=${member!.endpoint}`;
  const put = await benchJson("put", endpoints, ...load, "--sequential-keys", "--val-size", "100");
  expect(put).toMatchObject({ workload: "put", error_count: 0, latency: { count: 400 } });
  const range = await benchJson("range", endpoints, ...load, "--consistency", "s");
  expect(range).toMatchObject({ error_count: 0, latency: { count: 400 } });
  const txn = await benchJson("txn", endpoints, ...load, "--txn-ops", "5");
  expect(txn).toMatchObject({ error_count: 0, latency: { count: 400 } });
});

test("the report for people, and an error of the server in it", async () => {
  const endpoints = `--endpoints=${member!.endpoint}`;
  const { code, out } = await bench("range", "0", "9", endpoints, "--total", "20");
  expect(code).toBe(0);
  expect(out).toStartWith("Summary:\n  Total: ");
  expect(out).toContain("  99.9% within 0.");
  expect(out).not.toContain("\r");
  const failed = await bench("put", endpoints, "--total", "3", "--val-size", "2000000");
  expect(failed.code).toBe(1);
  expect(failed.out).toContain("  [3] etcdserver: request is too large\n");
});

test("watch-latency hears every event of every put", async () => {
  const report = await benchJson(
    ...["watch-latency", "--endpoints", member!.endpoint, "--conns", "2", "--streams", "3"],
    ...["--watchers-per-stream", "4", "--put-total", "50", "--put-rate", "500"],
  );
  expect(report).toMatchObject({ missing_events: 0, puts: { latency: { count: 50 } } });
  expect(report.events.count).toBe(50 * 12);
});

test("TLS with a client certificate", async () => {
  const authority = await makeAuthority();
  const files = new CertificateDirectory();
  const server = await authority.issue("server");
  const client = await authority.issue("client");
  const ca = files.write("ca.pem", authority.cert);
  const cert = files.write("client.pem", client.cert);
  const key = files.write("client.key", client.key);
  const secure = await startMember({
    kind: "cairn",
    flags: [
      ...["--cert-file", files.write("server.pem", server.cert)],
      ...["--key-file", files.write("server.key", server.key)],
      ...["--trusted-ca-file", ca, "--client-cert-auth"],
    ],
    tls: { ca: authority.cert, cert: client.cert, key: client.key },
  });
  try {
    const target = ["--endpoints", secure.url, "--cacert", ca, ...load];
    const report = await benchJson("put", ...target, "--cert", cert, "--key", key);
    expect(report).toMatchObject({ error_count: 0, latency: { count: 400 } });
    const refused = await bench("put", ...target);
    expect(refused.code).toBe(1);
    expect(refused.err).toStartWith("Error: cannot connect to https://127.0.0.1:");
  } finally {
    await secure.remove();
    files.remove();
  }
});

test("a bad flag ends with the usage and code 1", async () => {
  const { code, out, err } = await bench("put", "--nonsense");
  expect([code, out]).toEqual([1, ""]);
  expect(err).toStartWith("Error: unknown flag: --nonsense\n");
  expect((await bench("watch-latency", "--help")).out).toContain("--watchers-per-stream int");
});

test("disk: a small run leaves nothing behind", async () => {
  const args = [directory, "--seconds", "0.3", "--size", "256K"];
  const report = await benchJson("disk", ...args);
  expect(report.series).toHaveLength(6);
  for (const { latency } of report.series) expect(latency.count).toBeGreaterThan(0);
  expect(["good", "borderline", "bad"]).toContain(report.verdict);
  const { out } = await bench("disk", ...args);
  expect(out).toMatch(/\nVerdict: (good|borderline|bad)\. /);
  expect(readdirSync(directory)).toEqual([]);
});

test("disk: an interrupted run removes its file and says so", async () => {
  const child = Bun.spawn([...cairnCommand("bench"), "disk", directory, "--seconds", "60"], {
    stdout: "ignore",
    stderr: "pipe",
  });
  const deadline = performance.now() + 10_000;
  while (readdirSync(directory).length === 0 && performance.now() < deadline) await Bun.sleep(5);
  expect(readdirSync(directory)).toHaveLength(1);
  child.kill("SIGINT");
  expect(await child.exited).toBe(130);
  expect(await new Response(child.stderr).text()).toContain("interrupted; the file is removed");
  expect(readdirSync(directory)).toEqual([]);
});
