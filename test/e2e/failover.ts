// Failover beside the real etcd: three members each, the same timeouts, the same client. The leader is killed (-9),
// stopped cleanly (SIGTERM) or frozen (SIGSTOP), and a client that writes to a surviving member without pause tells
// how long it had to wait. Then rolling restarts under a client that knows all members: its longest wait.
//
//   bun test/e2e/failover.ts [--rounds 20] [--rolling-rounds 3] [--etcd PATH] [--cairn PATH] [--only kill,stop,...]
//
// Both clusters are up the whole time and take turns; only one of them has load.

import { parseArgs } from "node:util";
import { Client } from "../../src/client/index.ts";
import { BunClock } from "../../src/io/bun/index.ts";
import { type ClusterMember, memberClient } from "../cluster/cluster-member.ts";
import { ClusterProcesses } from "../cluster/cluster-processes.ts";
import { percentile, WriteProbe } from "../cluster/write-probe.ts";
import { method } from "../differential/grpc-client.ts";
import { serverCommand } from "../reference-etcd.ts";

const { values } = parseArgs({
  options: {
    rounds: { type: "string", default: "20" },
    "rolling-rounds": { type: "string", default: "3" },
    etcd: { type: "string" },
    cairn: { type: "string" },
    only: { type: "string", default: "kill,terminate,freeze,rolling" },
    "heartbeat-ms": { type: "string", default: "100" },
    "election-ms": { type: "string", default: "1000" },
    side: { type: "string", default: "etcd,cairn" },
  },
});

type Way = "kill" | "terminate" | "freeze";
const ways: readonly Way[] = ["kill", "terminate", "freeze"];
const writeIntervalMs = 5;
const callMilliseconds = 10_000;
const firstWriteMilliseconds = 20_000;
const warmUpMilliseconds = 400;
const settleMilliseconds = 1500;

interface Side {
  readonly name: string;
  readonly cluster: ClusterProcesses;
  readonly waits: Record<Way, number[]>;
  readonly stalls: number[];
  readonly rollingMs: number[];
  readonly failed: number[];
  readonly slowestMs: number[];
  readonly errors: Map<string, number>;
}

const commands: Record<string, string[]> = {
  etcd: values.etcd ? [values.etcd] : serverCommand("etcd"),
  cairn: values.cairn ? [values.cairn] : serverCommand("cairn"),
};
const asked = values.only.split(",");
const sides: Side[] = [];
try {
  for (const name of values.side.split(",")) sides.push(await newSide(name));
  for (const way of ways.filter((each) => asked.includes(each))) {
    for (let round = 1; round <= Number(values.rounds); round++) {
      for (const side of sides) await failOver(side, way);
    }
    report(
      way,
      way === "terminate" ? "longest stall" : "to the first write",
      (side) => side.waits[way],
    );
  }
  if (asked.includes("rolling")) {
    for (let round = 1; round <= Number(values["rolling-rounds"]); round++) {
      for (const side of sides) await rollingRestart(side);
    }
    report("rolling restart", "longest stall", (side) => side.stalls);
    report("rolling restart", "slowest answer or error", (side) => side.slowestMs);
    report("rolling restart", "whole", (side) => side.rollingMs);
    for (const { name, failed } of sides) {
      const sum = failed.reduce((total, each) => total + each, 0);
      console.log(`rolling restart, failed writes, ${name}: ${sum} in ${failed.length} rounds`);
    }
  }
  for (const { name, errors } of sides) {
    console.log(`errors that clients of ${name} saw:`);
    const sorted = [...errors].sort((a, b) => b[1] - a[1]);
    for (const [text, count] of sorted.slice(0, 12)) console.log(`  ${count} x ${text}`);
  }
} finally {
  for (const { cluster } of sides) await cluster.remove();
}

async function newSide(name: string): Promise<Side> {
  const cluster = await ClusterProcesses.start({
    command: commands[name]!,
    size: 3,
    proxied: false,
    heartbeatMs: Number(values["heartbeat-ms"]),
    electionMs: Number(values["election-ms"]),
  });
  const waits = { kill: [], terminate: [], freeze: [] };
  return {
    name,
    cluster,
    waits,
    stalls: [],
    rollingMs: [],
    failed: [],
    slowestMs: [],
    errors: new Map(),
  };
}

async function failOver(side: Side, way: Way): Promise<void> {
  const { cluster } = side;
  const leader = await cluster.waitForLeader();
  const others = cluster.othersOf(leader);
  const survivor = others[Math.floor(Math.random() * others.length)]!;
  const client = memberClient(survivor.endpoint);
  const probe = new WriteProbe(writeIntervalMs, async (key) => {
    const request = { key, value: "v" };
    const options = { timeoutMilliseconds: callMilliseconds };
    const outcome = await client.unary(method("KV", "Put"), request, options);
    return "ok" in outcome ? null : `${outcome.error.code} ${outcome.error.details}`;
  });
  probe.start();
  // At any moment between two heartbeats.
  await Bun.sleep(warmUpMilliseconds + Math.random() * cluster.options.heartbeatMs);
  const fromMs = performance.now();
  const ended = takeAway(leader, way);
  // A leader that is asked to stop goes on for a moment: its clients wait, if at all, when it hands over.
  if (way === "terminate") await ended;
  const sinceMs = performance.now();
  const firstMs = await probe.firstAcknowledged(sinceMs, firstWriteMilliseconds);
  if (firstMs === null) throw new Error(`${side.name}: no write after ${way}\n${cluster.logs()}`);
  const waitMs = way === "terminate" ? probe.longestStallMs(fromMs, firstMs) : firstMs - fromMs;
  side.waits[way].push(waitMs);
  probe.stop();
  await ended;
  await giveBack(cluster, leader, way);
  await cluster.waitHealthy();
  await Bun.sleep(settleMilliseconds);
  note(side, probe, fromMs);
  client.close();
}

async function takeAway(leader: ClusterMember, way: Way): Promise<void> {
  if (way === "freeze") leader.pause();
  else if (way === "kill") await leader.kill();
  else await leader.terminate();
}

async function giveBack(cluster: ClusterProcesses, leader: ClusterMember, way: Way) {
  if (way === "freeze") leader.resume();
  else cluster.restart(leader);
}

async function rollingRestart(side: Side): Promise<void> {
  const { cluster } = side;
  const endpoints = cluster.members.map(({ endpoint }) => endpoint);
  const client = new Client({ clock: new BunClock(), endpoints });
  const value = Buffer.from("v");
  const probe = new WriteProbe(writeIntervalMs, (key) =>
    client.kv.put({ key: Buffer.from(key), value }, { timeoutMs: callMilliseconds }).then(
      () => null,
      (failure: { code: number; message: string }) => `${failure.code} ${failure.message}`,
    ),
  );
  probe.start();
  await Bun.sleep(warmUpMilliseconds);
  const fromMs = performance.now();
  for (const member of cluster.members) {
    await member.terminate();
    cluster.restart(member);
    await cluster.waitHealthy();
  }
  const toMs = performance.now();
  probe.stop();
  side.stalls.push(probe.longestStallMs(fromMs, toMs));
  side.rollingMs.push(toMs - fromMs);
  await probe.settle(callMilliseconds);
  const { failed, slowestMs } = probe.outcome(fromMs);
  side.failed.push(failed);
  side.slowestMs.push(slowestMs);
  note(side, probe, fromMs);
  await Bun.sleep(settleMilliseconds);
  client.close();
}

function note(side: Side, probe: WriteProbe, fromMs: number): void {
  for (const [text, count] of probe.errors(fromMs)) {
    side.errors.set(text, (side.errors.get(text) ?? 0) + count);
  }
}

function report(what: string, measure: string, of: (side: Side) => readonly number[]): void {
  for (const side of sides) {
    const found = of(side);
    const shown = [0.5, 0.9, 0.99, 1].map((share) => `${Math.round(percentile(found, share))}`);
    console.log(
      `${what}, ${measure}, ${side.name}: p50 ${shown[0]} ms, p90 ${shown[1]} ms, ` +
        `p99 ${shown[2]} ms, max ${shown[3]} ms (${found.length} rounds)`,
    );
  }
}
