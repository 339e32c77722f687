// Changes of the members, good and bad, on a cluster of one and a second member that never starts.

import { type Cases, differentialArea } from "./harness.ts";
import { MemberCalls } from "./member-calls.ts";
import type { Side } from "./side.ts";

const URL_LISTS: readonly string[][] = [
  [],
  [""],
  ["127.0.0.1:1"],
  ["http://127.0.0.1"],
  ["ftp://127.0.0.1:1"],
  ["http://127.0.0.1:1/path"],
  ["http://127.0.0.1:1/"],
  ["http://a b:1"],
  ["http://a%20b:1"],
  ["http://a:b"],
  ["http://a:1:2"],
  ["http:a:1"],
  ["http://a:1", "bad"],
];

const ALLOWED_URL_LISTS: readonly string[][] = [
  ["HTTP://127.0.0.1:1"],
  [" http://127.0.0.1:8 "],
  ["http://z:1", "http://127.0.0.1:10"],
  ["http://127.0.0.1:9?x=1"],
  ["http://u:p@127.0.0.1:1"],
  ["http://[::1]:1"],
  ["unix:///nowhere"],
  ["unix:x"],
  ["http://127.0.0.1:99999"],
];

const NOBODY = "4660";
/** An id is made of URLs and the second: no case uses the URLs of another. */
const PEER = "http://127.0.0.1:7";

async function withLearner(
  side: Side,
  url: string,
  run: (members: MemberCalls) => Promise<void>,
): Promise<void> {
  const members = new MemberCalls(side);
  await members.add("learner", [url], true);
  await run(members);
  await members.call("MemberRemove", { ID: members.idOf("learner") });
}

const relaxed: Cases = {
  "URLs that are none": async (side) => {
    const members = new MemberCalls(side);
    for (const urls of URL_LISTS) await members.add("nobody", urls, true);
    for (const urls of URL_LISTS) await members.add("nobody", urls, false);
  },
  "URLs that are taken": async (side) => {
    const members = new MemberCalls(side);
    for (const [index, urls] of ALLOWED_URL_LISTS.entries()) {
      await members.add(`m${index}`, urls, true);
      await members.call("MemberRemove", { ID: members.idOf(`m${index}`) });
    }
    const own = `http://${side.identity.peerEndpoint}`;
    await members.add("twice", [own], true);
    await members.add("twice", [PEER, own], false);
  },
  "a learner comes, changes and goes": (side) =>
    withLearner(side, PEER, async (members) => {
      const ID = members.idOf("learner");
      await members.call("MemberList", {});
      await members.call("MemberList", { linearizable: true });
      await members.add("same", [PEER], true);
      await members.add("more", ["http://127.0.0.1:3"], true);
      await members.call("MemberPromote", { ID });
      await members.other("Maintenance", "MoveLeader", { targetID: ID });
      await members.call("MemberUpdate", { ID, peerURLs: ["http://127.0.0.1:4"] });
    }),
  "a member that was removed stays away": async (side) => {
    const members = new MemberCalls(side);
    await members.add("gone", ["http://127.0.0.1:6"], true);
    const ID = members.idOf("gone");
    await members.call("MemberRemove", { ID });
    await members.call("MemberRemove", { ID });
    await members.call("MemberUpdate", { ID, peerURLs: [PEER] });
    await members.call("MemberPromote", { ID });
    await members.other("Maintenance", "MoveLeader", { targetID: ID });
  },
  "nobody is asked for": async (side) => {
    const members = new MemberCalls(side);
    for (const ID of [NOBODY, "0", "18446744073709551615"]) {
      await members.call("MemberRemove", { ID });
      await members.call("MemberUpdate", { ID, peerURLs: [PEER] });
      await members.call("MemberPromote", { ID });
      await members.other("Maintenance", "MoveLeader", { targetID: ID });
    }
  },
  "this member itself": async (side) => {
    const members = new MemberCalls(side);
    const ID = members.idOf("self");
    await members.call("MemberPromote", { ID });
    await members.call("MemberUpdate", { ID, peerURLs: ["http://127.0.0.1:5"] });
    await members.call("MemberUpdate", { ID, peerURLs: [`http://${side.identity.peerEndpoint}`] });
    await members.other("Maintenance", "MoveLeader", { targetID: ID });
    await side.diverging("member-update-urls", "Cluster", "MemberUpdate", { ID }, BAD_URLS);
    const bad = { ID, peerURLs: ["bad"] };
    await side.diverging("member-update-urls", "Cluster", "MemberUpdate", bad, BAD_URLS);
    await side.diverging("last-voter", "Cluster", "MemberRemove", { ID }, NOT_STARTED);
  },
  "over the JSON gateway": async (side) => {
    const ID = NOBODY;
    await side.request("/v3/cluster/member/add", { body: { peerURLs: ["bad"] } });
    await side.request("/v3/cluster/member/remove", { body: { ID } });
    await side.request("/v3/cluster/member/update", { body: { ID, peerURLs: [PEER] } });
    await side.request("/v3/cluster/member/promote", { body: { ID } });
    await side.request("/v3/maintenance/transfer-leadership", { body: { targetID: ID } });
  },
};

const BAD_URLS = { error: { code: 3, details: "etcdserver: given member URLs are invalid" } };
const NOT_STARTED = {
  error: {
    code: 2,
    details: "etcdserver: re-configuration failed due to not enough started members",
  },
};

differentialArea("membership", relaxed, { flags: ["--strict-reconfig-check=false"] });

// Adding a voter that does not start leaves the cluster without a majority: one case, the last one.
const strict: Cases = {
  "strict checks while a second voter is missing": async (side) => {
    const members = new MemberCalls(side);
    const ID = members.idOf("self");
    await members.call("MemberRemove", { ID });
    await members.add("second", [PEER]);
    await members.add("third", ["http://127.0.0.1:3"]);
    await members.add("learner", ["http://127.0.0.1:3"], true);
    await members.call("MemberRemove", { ID });
    await members.call("MemberList", {});
    const soon = { timeoutMilliseconds: 500 };
    await members.call("MemberList", { linearizable: true }, soon);
    await members.call("MemberUpdate", { ID, peerURLs: [PEER] }, soon);
    await members.call("MemberRemove", { ID: members.idOf("second") }, soon);
  },
};

differentialArea("strict membership", strict, { revisionsDiffer: true });
