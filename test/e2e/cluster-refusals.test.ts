// Members that do not belong, or start with wrong words, are refused with the cause named, and the cluster they were
// pointed at goes on, in etcd's words. CAIRN_REFUSALS_OF_ETCD=1 asks the real etcd too.

import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { existsSync } from "node:fs";
import { join } from "node:path";
import type { ClusterMember } from "../cluster/cluster-member.ts";
import { ClusterProcesses, quickCluster } from "../cluster/cluster-processes.ts";
import { method } from "../differential/grpc-client.ts";
import { describeWithReference } from "../reference.ts";
import { type MemberKind, serverCommand } from "../reference-etcd.ts";

const endMilliseconds = 10_000;
const startMilliseconds = 30_000;

/** What a member's log must say, and with which code its process must end; null: it goes on, and is not healthy. */
interface Refusal {
  readonly text: RegExp;
  readonly code: number | null;
}

describe("a cluster of cairn refuses", () => refusals("cairn"));

// What is expected was written down from the real etcd; it need not be asked every time.
if (process.env.CAIRN_REFUSALS_OF_ETCD) {
  describeWithReference("a cluster of etcd refuses", () => refusals("etcd"));
}

function refusals(kind: MemberKind): void {
  let cluster: ClusterProcesses;
  const url = (member: ClusterMember) => `${member.name}=${member.advertisedPeerUrl}`;

  beforeAll(async () => {
    const command = serverCommand(kind);
    cluster = await ClusterProcesses.start({ ...quickCluster, command, size: 3 });
  }, startMilliseconds);
  afterAll(async () => {
    await cluster?.remove();
  });

  /** A process that is none of the cluster's members, with these flags in place of its own. */
  async function refused(
    flags: (member: ClusterMember) => string[],
    wanted: Refusal,
    member?: ClusterMember,
  ): Promise<void> {
    const stranger = member ?? (await cluster.make());
    cluster.members.splice(cluster.members.indexOf(stranger), 1);
    stranger.spawn([...cluster.flagsOf("new", []), ...flags(stranger)]);
    try {
      await cluster.wait(
        `"${wanted.text.source}" of ${stranger.name}`,
        endMilliseconds,
        async () => {
          const ended = !stranger.isRunning;
          if (ended && wanted.code === null) throw new Error(`it ended\n${stranger.logTail()}`);
          return wanted.text.test(stranger.log()) && (ended || wanted.code === null);
        },
      );
      if (wanted.code === null) expect(await stranger.isHealthy()).toBe(false);
      else expect(stranger.ended?.code).toBe(wanted.code);
    } catch (failure) {
      throw new Error(`${failure}\n${stranger.logTail()}`);
    } finally {
      await stranger.kill();
      stranger.close();
    }
    await cluster.waitHealthy();
  }

  test("a member of another cluster that names one of ours", () =>
    refused(
      (stranger) => [
        `--initial-cluster=${url(cluster.members[0]!)},${url(stranger)}`,
        "--initial-cluster-state=new",
      ],
      { text: /cluster ID mismatch/, code: null },
    ));

  test("a new member with another token", () =>
    refused(
      (stranger) => [
        `--initial-cluster=${[...cluster.members, stranger].map(url)}`,
        "--initial-cluster-state=new",
        "--initial-cluster-token=another",
      ],
      { text: /cluster ID mismatch/, code: null },
    ));

  test("a joining member that was not added", () =>
    refused(
      (stranger) => [
        `--initial-cluster=${[...cluster.members, stranger].map(url)}`,
        "--initial-cluster-state=existing",
      ],
      { text: /member count is unequal/, code: 1 },
    ));

  test("a joining member with the URL of nobody", () =>
    refused(
      (stranger) => [
        `--initial-cluster=${[...cluster.members.slice(0, 2), stranger].map(url)}`,
        "--initial-cluster-state=existing",
      ],
      { text: /unmatched member while checking PeerURLs|PeerURLs: no match found/, code: 1 },
    ));

  test("a joining member that reaches none of the others", () =>
    refused(
      (stranger) => [
        `--initial-cluster=gone=http://127.0.0.1:1,${url(stranger)}`,
        "--initial-cluster-state=existing",
      ],
      { text: /could not retrieve cluster information from the given URLs/, code: 1 },
    ));

  test("a name that another member has", () =>
    refused(
      (stranger) => [
        `--initial-cluster=${cluster.members.map(url)}`,
        "--name=m1",
        `--initial-advertise-peer-urls=${stranger.advertisedPeerUrl}`,
      ],
      {
        text: /--initial-cluster has m1=http.* but missing from --initial-advertise-peer-urls/,
        code: 1,
      },
    ));

  test("a URL that two members have", () =>
    refused(
      (stranger) => [`--initial-cluster=${url(stranger)},twin=${stranger.advertisedPeerUrl}`],
      { text: /has duplicate url/, code: 1 },
    ));

  test("the addition of a URL that a member has", async () => {
    const peerURLs = [cluster.members[1]!.advertisedPeerUrl];
    let details = "";
    // Changes are refused as a whole until the members have been together for a while.
    await cluster.wait("an answer", endMilliseconds, async () => {
      const leader = await cluster.waitForLeader();
      const outcome = await leader.client.unary(method("Cluster", "MemberAdd"), { peerURLs });
      details = "error" in outcome ? outcome.error.details : "it was added";
      return !details.includes("unhealthy cluster");
    });
    expect(details).toBe("etcdserver: Peer URLs already exists");
  });

  // The real one lets it in where it says that it joins.
  const starts = [
    ["new", "has already been bootstrapped"],
    ["existing", "has run before, but its write-ahead log is not here"],
  ] as const;
  test.each(kind === "cairn" ? starts : starts.slice(0, 1))(
    "a member that lost its directory and starts as %s",
    async (state, words) => {
      const [, victim] = cluster.members as [ClusterMember, ClusterMember];
      await victim.kill();
      victim.wipe();
      const flags = [...cluster.flagsOf(state)];
      const place = cluster.members.indexOf(victim);
      cluster.members.splice(place, 1);
      victim.spawn(flags);
      expect(await victim.waitForEnd(endMilliseconds)).toBe(true);
      expect(victim.log()).toContain(words);
      expect(victim.ended?.code).toBe(1);
      const isLeft = existsSync(join(victim.dataDirectory, "member"));
      if (kind === "cairn") expect(isLeft).toBe(false);
      await cluster.waitHealthy();
      cluster.members.splice(place, 0, victim);
    },
    startMilliseconds,
  );

  test("a member that was removed, while it runs and when it comes back", async () => {
    // The member before this test is down: it is the one that goes, then another one comes and goes running.
    const lost = cluster.members.find((each) => !each.isRunning)!;
    await cluster.removeMember(lost);
    await cluster.forget(lost);
    const third = await cluster.make();
    await cluster.addMember(third);
    third.spawn(cluster.flagsOf("existing"));
    await cluster.waitHealthy();
    await cluster.removeMember(third);
    expect(await third.waitForEnd(endMilliseconds)).toBe(true);
    expect(third.ended?.code).toBe(0);
    const before = third.log().length;
    third.spawn(cluster.flagsOf("existing"));
    expect(await third.waitForEnd(endMilliseconds)).toBe(true);
    const said = third.log().slice(before);
    expect(said.includes("data-dir used by this member must be removed")).toBe(true);
    // 1 where its own data tell of the removal; else it runs until the others do, and ends as the first time.
    expect([0, 1]).toContain(third.ended?.code as number);
    await cluster.forget(third);
    await cluster.waitHealthy();
  }, 60_000);
}
