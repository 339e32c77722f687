// What a member without a log begins with, and every refusal, in the words of a real etcd.
import { expect, test } from "bun:test";
import { hexId, type Member } from "../cluster/index.ts";
import { newBunDigest } from "../io/bun/index.ts";
import { decodeMembershipEntry } from "../state-machine/index.ts";
import type { RemoteCluster } from "./existing-cluster.ts";
import { type FirstStartSettings, firstStart } from "./first-start.ts";
import { StartProblem } from "./start-problem.ts";

const URLS = {
  a: "http://127.0.0.1:47100",
  b: "http://127.0.0.1:47110",
  c: "http://127.0.0.1:47120",
};
const THREE = Object.entries(URLS)
  .map(([name, url]) => `${name}=${url}`)
  .join();
// Seen on a real cluster of these three.
const IDS = { a: 0x4904af245fded993n, b: 0x2f11624b046a5e01n, c: 0x2eff33e5f5eed9a0n };
const CLUSTER = 0xc961db4cb2cf6f18n;

function settings(extra: Partial<FirstStartSettings> = {}): FirstStartSettings {
  return {
    name: "c",
    initialPeerUrls: [URLS.c],
    initialCluster: THREE,
    initialClusterState: "new",
    clusterToken: "etcd-cluster",
    newDigest: newBunDigest,
    ...extra,
  };
}

function member(name: keyof typeof URLS, clientUrls: string[] = []): Member {
  return { id: IDS[name], peerUrls: [URLS[name]], name, clientUrls, isLearner: false };
}

const RUNNING: RemoteCluster = {
  clusterId: CLUSTER,
  members: [
    { ...member("c"), name: "" },
    member("b", ["http://127.0.0.1:47111"]),
    member("a", ["http://127.0.0.1:47101"]),
  ],
  versions: new Map([[IDS.a, "3.7.0"]]),
  addresses: new Map(),
};
const RUNNING_TEXT =
  "{ClusterID:c961db4cb2cf6f18 Members:[" +
  "&{ID:2eff33e5f5eed9a0 RaftAttributes:{PeerURLs:[http://127.0.0.1:47120] IsLearner:false} " +
  "Attributes:{Name: ClientURLs:[]}} " +
  "&{ID:2f11624b046a5e01 RaftAttributes:{PeerURLs:[http://127.0.0.1:47110] IsLearner:false} " +
  "Attributes:{Name:b ClientURLs:[http://127.0.0.1:47111]}} " +
  "&{ID:4904af245fded993 RaftAttributes:{PeerURLs:[http://127.0.0.1:47100] IsLearner:false} " +
  "Attributes:{Name:a ClientURLs:[http://127.0.0.1:47101]}}] RemovedMemberIDs:[]}";

function refusal(extra: Partial<FirstStartSettings>): { message: string; warnings: string[] } {
  const warnings: string[] = [];
  try {
    firstStart(settings(extra), (message) => warnings.push(message));
  } catch (error) {
    if (error instanceof StartProblem) return { message: error.message, warnings };
    throw error;
  }
  return { message: "not refused", warnings };
}

test("firstStart gives all members of a new cluster the same entries, ascending by id", () => {
  const starts = (["a", "b", "c"] as const).map((name) =>
    firstStart(settings({ name, initialPeerUrls: [URLS[name]] }), () => {}),
  );
  const [first] = starts;
  for (const { beginning, metadata } of starts) {
    expect(beginning).toEqual(first!.beginning);
    expect(metadata.clusterId).toBe(CLUSTER);
  }
  expect(starts.map(({ metadata }) => metadata.memberId)).toEqual([IDS.a, IDS.b, IDS.c]);
  expect(starts[2]!.remotes.map(({ id }) => id)).toEqual([IDS.b, IDS.a]);
  const { entries, hardState } = first!.beginning;
  expect(hardState).toEqual({ term: 1, vote: 0n, commit: 3 });
  expect(entries.map(({ term, index, kind }) => [term, index, kind])).toEqual([
    [1, 1, 1],
    [1, 2, 1],
    [1, 3, 1],
  ]);
  const added = entries.map(({ data }) => decodeMembershipEntry(data)!);
  expect(added.map(({ change, member }) => [change, member.id, member.peerUrls[0]])).toEqual([
    ["add-voter", IDS.c, URLS.c],
    ["add-voter", IDS.b, URLS.b],
    ["add-voter", IDS.a, URLS.a],
  ]);
});

test("firstStart does not let the names by which members know each other into the log", () => {
  const others = `0=${URLS.a},1=${URLS.b},c=${URLS.c}`;
  const named = firstStart(settings(), () => {});
  const numbered = firstStart(settings({ initialCluster: others }), () => {});
  expect(numbered).toEqual(named);
});

test("firstStart of a joining member takes the ids of the running cluster and no entries", () => {
  const id = 0x32ba6e686a2ad330n;
  const added = { ...member("c"), id, name: "" };
  const remoteCluster = { ...RUNNING, members: [member("b"), added, member("a")] };
  const start = firstStart(settings({ initialClusterState: "existing", remoteCluster }), () => {});
  expect(start.metadata).toEqual({ memberId: id, clusterId: CLUSTER });
  expect(start.beginning.entries).toEqual([]);
  expect(start.beginning.hardState.term).toBe(0);
  expect(start.remotes.map((remote) => hexId(remote.id))).toEqual([
    "2f11624b046a5e01",
    "4904af245fded993",
  ]);
});

test("firstStart compares the places that URLs lead to, where their texts differ", () => {
  const initialCluster = THREE.replace("127.0.0.1:47100", "first.example:47100");
  const addresses = new Map([["http://first.example:47100", URLS.a]]);
  const join = { initialClusterState: "existing", initialCluster } as const;
  const remoteCluster = { ...RUNNING, addresses };
  expect(firstStart(settings({ ...join, remoteCluster }), () => {}).metadata.memberId).toBe(IDS.c);
  expect(refusal({ ...join, remoteCluster: RUNNING }).message).toContain("no match found");
});

test.each([
  [{ name: "x2" }, `couldn't find local name "x2" in the initial cluster configuration`],
  [
    { initialCluster: `c=${URLS.c},y=${URLS.c}` },
    `initial cluster c=${URLS.c},y=${URLS.c} has duplicate url`,
  ],
  [
    { remoteCluster: { ...RUNNING, members: [member("c", ["http://127.0.0.1:47121"])] } },
    "member 2eff33e5f5eed9a0 has already been bootstrapped",
  ],
] as const)("firstStart of a new cluster refuses %#", (extra, message) => {
  expect(refusal(extra).message).toBe(message);
});

test.each([
  [{ name: "x2", remoteCluster: RUNNING }, `couldn't find local name "x2" in the initial`],
  [
    { initialCluster: `c=${URLS.c},y=${URLS.c}`, remoteCluster: RUNNING },
    `initial cluster c=${URLS.c},y=${URLS.c} has duplicate url`,
  ],
  [
    {},
    "cannot fetch cluster info from peer urls: could not retrieve cluster information from the given URLs",
  ],
  [
    { remoteCluster: { ...RUNNING, members: [] } },
    "cannot fetch cluster info from peer urls: failed to get raft cluster member(s) from the given URLs",
  ],
  [
    { initialCluster: `${THREE},z=http://127.0.0.1:47130`, remoteCluster: RUNNING },
    `error validating peerURLs ${RUNNING_TEXT}: member count is unequal`,
  ],
  [
    { initialCluster: THREE.replace("47110", "47119"), remoteCluster: RUNNING },
    `error validating peerURLs ${RUNNING_TEXT}: PeerURLs: no match found for existing member ` +
      '(2f11624b046a5e01, [http://127.0.0.1:47110]), last resolver error (resolved urls: "http://127.0.0.1:47110" ' +
      '!= "http://127.0.0.1:47119")',
  ],
] as const)("firstStart of a joining member refuses %#", (extra, message) => {
  expect(refusal({ initialClusterState: "existing", ...extra }).message).toStartWith(message);
});

test.each([
  ["3.8.0", "cluster version of remote member is not compatible; too high"],
  ["4.0.0", "cluster version of remote member is not compatible; too high"],
  ["2.9.0", "cluster version of remote member is not compatible; too low"],
  ["not_decided", "failed to parse cluster version of remote member"],
  [null, "failed to get version"],
])("firstStart does not join a cluster of version %p", (version, warning) => {
  const remoteCluster = { ...RUNNING, versions: new Map([[IDS.a, version]]) };
  expect(refusal({ initialClusterState: "existing", remoteCluster })).toEqual({
    message: "incompatible with current running cluster",
    warnings: [warning],
  });
});

test.each([
  { name: "c", clientUrls: ["http://127.0.0.1:47121"] },
  { name: "", clientUrls: ["http://127.0.0.1:47121"] },
  { name: "c", clientUrls: [], isLearner: true },
])("firstStart does not let a member join that ran before: %j", (published) => {
  const members = [{ ...member("c"), ...published }, ...RUNNING.members.slice(1)];
  const remoteCluster = { ...RUNNING, members };
  const { message } = refusal({ initialClusterState: "existing", remoteCluster });
  expect(message).toContain("has run before, but its write-ahead log is not here");
  expect(message).toContain("etcdctl member remove 2eff33e5f5eed9a0");
  expect(message).toContain(`--peer-urls=${URLS.c}`);
});

test("firstStart does not join where no version is known", () => {
  const remoteCluster = { ...RUNNING, versions: new Map() };
  expect(refusal({ initialClusterState: "existing", remoteCluster }).message).toBe(
    "incompatible with current running cluster",
  );
});
