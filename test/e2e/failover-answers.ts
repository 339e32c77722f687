// What clients of a surviving member are answered while the leader is gone, and while the quorum is: texts, codes and
// how long they took, on the real etcd and on cairn. A person compares them.
//
//   bun test/e2e/failover-answers.ts [--etcd PATH] [--cairn PATH] [--side etcd,cairn]

import { parseArgs } from "node:util";
import { type ClusterMember, memberClient } from "../cluster/cluster-member.ts";
import { ClusterProcesses } from "../cluster/cluster-processes.ts";
import { percentile } from "../cluster/write-probe.ts";
import { method } from "../differential/grpc-client.ts";
import type { JsonObject } from "../differential/plain.ts";
import { serverCommand } from "../reference-etcd.ts";

const { values } = parseArgs({
  options: {
    etcd: { type: "string" },
    cairn: { type: "string" },
    side: { type: "string", default: "etcd,cairn" },
  },
});

const commands: Record<string, string[]> = {
  etcd: values.etcd ? [values.etcd] : serverCommand("etcd"),
  cairn: values.cairn ? [values.cairn] : serverCommand("cairn"),
};

interface Call {
  readonly name: string;
  readonly service: string;
  readonly method: string;
  readonly request: JsonObject;
  readonly hasLeader?: boolean;
}

const calls: readonly Call[] = [
  { name: "put", service: "KV", method: "Put", request: { key: "a", value: "b" } },
  {
    name: "put, hasleader",
    service: "KV",
    method: "Put",
    request: { key: "a", value: "b" },
    hasLeader: true,
  },
  { name: "range", service: "KV", method: "Range", request: { key: "a" } },
  {
    name: "serializable range",
    service: "KV",
    method: "Range",
    request: { key: "a", serializable: true },
  },
  { name: "lease grant", service: "Lease", method: "LeaseGrant", request: { TTL: "100" } },
  {
    name: "member list",
    service: "Cluster",
    method: "MemberList",
    request: { linearizable: true },
  },
  {
    name: "member add",
    service: "Cluster",
    method: "MemberAdd",
    request: { peerURLs: ["http://127.0.0.1:1"] },
  },
  { name: "compact", service: "KV", method: "Compact", request: { revision: "99999999" } },
];

const roundMilliseconds = 150;
const callMilliseconds = 12_000;

for (const side of values.side.split(",")) {
  const cluster = await ClusterProcesses.start({
    command: commands[side]!,
    size: 3,
    proxied: false,
    heartbeatMs: 100,
    electionMs: 1000,
  });
  try {
    const leader = await cluster.waitForLeader();
    const [survivor, other] = cluster.othersOf(leader) as [ClusterMember, ClusterMember];
    // Membership changes are refused until the members have been together for a while.
    await Bun.sleep(6000);
    await leader.kill();
    await observe(`${side}, leader killed`, survivor, 3000);
    await other.kill();
    await observe(`${side}, quorum lost`, survivor, 4000);
  } finally {
    await cluster.remove();
  }
}

/** Each call again and again for a while, without waiting for those before. */
async function observe(what: string, member: ClusterMember, forMs: number): Promise<void> {
  const client = memberClient(member.endpoint);
  const seen = new Map<string, number[]>();
  const pending: Promise<void>[] = [];
  const endMs = performance.now() + forMs;
  while (performance.now() < endMs) {
    for (const call of calls) {
      const startMs = performance.now();
      const metadata: Record<string, string> = call.hasLeader ? { hasleader: "true" } : {};
      const options = { timeoutMilliseconds: callMilliseconds, metadata };
      pending.push(
        client.unary(method(call.service, call.method), call.request, options).then((outcome) => {
          const answer = "ok" in outcome ? "ok" : `${outcome.error.code} ${outcome.error.details}`;
          const text = `${call.name}: ${answer.replace(/after \d.*/, "after ...")}`;
          const times = seen.get(text);
          const tookMs = performance.now() - startMs;
          if (times === undefined) seen.set(text, [tookMs]);
          else times.push(tookMs);
        }),
      );
    }
    await Bun.sleep(roundMilliseconds);
  }
  await Promise.all(pending);
  client.close();
  console.log(`${what}:`);
  for (const [text, times] of [...seen].sort((a, b) => (a[0] < b[0] ? -1 : 1))) {
    const [least, middle, most] = [0, 0.5, 1].map((share) => Math.round(percentile(times, share)));
    console.log(`  ${times.length} x ${text} (${least} to ${most} ms, median ${middle})`);
  }
}
