// Three members, a fourth that joins as a learner and is promoted, and removals of all but two, on a real etcd and on
// cairn: the same calls to members in the same roles, the same answers, and the same ends of processes.

import { afterAll, expect, test } from "bun:test";
import { cairnExists } from "../cairn-command.ts";
import { describeWithReference } from "../reference.ts";
import { ClusterRoles } from "./cluster-roles.ts";
import { compareSteps, subjectIsReference } from "./harness.ts";

/** Strict checks want connections that are five seconds old. */
const UNHEALTHY = /unhealthy cluster/;
const NOT_IN_SYNC = /in sync with leader/;
const EARLY_MS = 3500;
const NOBODY = "4660";

/** Refused within the first seconds: no connection is old enough. */
async function tooEarly(world: ClusterRoles): Promise<boolean> {
  await world.call("leader", "Cluster", "MemberAdd", { peerURLs: ["http://127.0.0.1:1"] });
  const learner = { peerURLs: ["http://127.0.0.1:1"], isLearner: true };
  await world.call("first", "Cluster", "MemberAdd", learner);
  await world.call("leader", "Cluster", "MemberRemove", { ID: world.idOf("second") });
  const isEarly = performance.now() - world.startedMs < EARLY_MS;
  if (!isEarly) world.steps.splice(0);
  return isEarly;
}

async function refusals(world: ClusterRoles): Promise<void> {
  await world.call("first", "Cluster", "MemberList", {});
  await world.call("second", "Cluster", "MemberList", { linearizable: true });
  const leader = world.idOf("leader");
  for (const role of ["leader", "first"]) {
    await world.call(role, "Maintenance", "MoveLeader", { targetID: NOBODY });
    await world.call(role, "Maintenance", "MoveLeader", { targetID: leader });
    await world.call(role, "Cluster", "MemberPromote", { ID: NOBODY });
    await world.call(role, "Cluster", "MemberPromote", { ID: leader });
    await world.call(role, "Cluster", "MemberRemove", { ID: NOBODY }, UNHEALTHY);
    await world.call(role, "Cluster", "MemberUpdate", { ID: NOBODY, peerURLs: ["http://a:1"] });
    const taken = [world.member("second").advertisedPeerUrl];
    await world.call(role, "Cluster", "MemberAdd", { peerURLs: taken }, UNHEALTHY);
    await world.call(role, "Cluster", "MemberUpdate", { ID: leader, peerURLs: taken });
  }
}

/** A learner joins and is promoted through a follower. */
async function join(world: ClusterRoles): Promise<void> {
  const { cluster } = world;
  const joiner = await cluster.make();
  world.give("joiner", joiner, "");
  const peerURLs = [joiner.advertisedPeerUrl];
  await world.call("first", "Cluster", "MemberAdd", { peerURLs, isLearner: true }, UNHEALTHY);
  const ID = world.idOf("joiner");
  await world.call("second", "Cluster", "MemberPromote", { ID });
  await world.call("leader", "Cluster", "MemberPromote", { ID });
  await world.call("leader", "Maintenance", "MoveLeader", { targetID: ID });
  const more = { peerURLs: ["http://127.0.0.1:2"], isLearner: true };
  await world.call("second", "Cluster", "MemberAdd", more);
  joiner.spawn(cluster.flagsOf("existing"));
  await cluster.waitHealthy([joiner]);
  await world.call("second", "Cluster", "MemberList", { linearizable: true });
  await world.call("second", "Cluster", "MemberPromote", { ID }, NOT_IN_SYNC);
  await world.call("first", "Cluster", "MemberPromote", { ID });
  await world.call("leader", "Cluster", "MemberList", { linearizable: true });
}

/** Removals, each through another member; who was removed ends by itself. */
async function leave(world: ClusterRoles): Promise<void> {
  const put = { key: "k", value: "v" };
  await world.call("leader", "Maintenance", "MoveLeader", { targetID: world.idOf("first") });
  await world.waitForLeader("first");
  await world.call("leader", "KV", "Put", put);
  const second = { ID: world.idOf("second") };
  await world.call("leader", "Cluster", "MemberRemove", second, UNHEALTHY);
  await noteEnd(world, "second");
  await world.call("joiner", "Cluster", "MemberRemove", second);
  await world.call("joiner", "Cluster", "MemberUpdate", { ...second, peerURLs: ["http://a:1"] });
  const first = { ID: world.idOf("first") };
  // The leader, asked of another member: asked itself, a real one sometimes ends before it answers.
  await world.call("joiner", "Cluster", "MemberRemove", first, UNHEALTHY);
  await noteEnd(world, "first");
  await world.cluster.waitHealthy([world.member("leader"), world.member("joiner")]);
  await world.call("leader", "KV", "Put", put);
  await world.call("joiner", "Cluster", "MemberList", { linearizable: true });
}

async function noteEnd(world: ClusterRoles, role: string): Promise<void> {
  const member = world.member(role);
  const hasEnded = await member.waitForEnd(10_000);
  const log = member.log();
  world.note(`${role}: end`, null, {
    hasEnded,
    code: member.ended?.code ?? null,
    error: log.includes("the member has been permanently removed from the cluster"),
    advice: log.includes("data-dir used by this member must be removed"),
  });
}

describeWithReference("differential: membership of a cluster", () => {
  const worlds: ClusterRoles[] = [];

  afterAll(async () => {
    await Promise.all(worlds.map(({ cluster }) => cluster.remove()));
  });

  const run = subjectIsReference || cairnExists() ? test : test.skip;
  run(
    "members join, lead and leave alike",
    async () => {
      const kinds = ["etcd", subjectIsReference ? "etcd" : "cairn"] as const;
      const started = await Promise.allSettled(kinds.map((kind) => ClusterRoles.start(kind)));
      for (const each of started) if (each.status === "fulfilled") worlds.push(each.value);
      for (const each of started) if (each.status === "rejected") throw each.reason;
      const early = await Promise.all(worlds.map(tooEarly));
      if (!early.every(Boolean)) for (const { steps } of worlds) steps.splice(0);
      await Promise.all(
        worlds.map(async (world) => {
          await refusals(world);
          await join(world);
          await leave(world);
        }),
      );
      const [reference, subject] = worlds;
      compareSteps(reference!.steps, subject!.steps);
      expect(subject!.steps.length).toBeGreaterThan(30);
    },
    120_000,
  );
});
