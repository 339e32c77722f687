// What other members say of their cluster, and what is made of answers that say nothing.
import { expect, test } from "bun:test";
import type { Logger } from "../../io/index.ts";
import type { PeerPage, PeerPageFailure } from "../../peer/index.ts";
import { askRemoteCluster, type RemoteQuestion, readCluster } from "./remote-cluster.ts";

// As a real member answered.
const MEMBERS =
  '[{"id":3386482507572500896,"peerURLs":["http://127.0.0.1:47120"],"name":"c"},' +
  '{"id":3391600068722843137,"peerURLs":["http://127.0.0.1:47110"],"name":"b","clientURLs":["http://127.0.0.1:47111"]},' +
  '{"id":5261522835437705619,"peerURLs":["http://127.0.0.1:47100"],"name":"a}\\"{",' +
  '"clientURLs":["http://127.0.0.1:47101"]}]';
const VERSION = '{"etcdserver":"3.5.30","etcdcluster":"3.5.0"}';

function page(body: string, id = "c961db4cb2cf6f18", status = 200): PeerPage {
  return { status, headers: new Map([["x-etcd-cluster-id", id]]), body };
}

function ask(state: RemoteQuestion["state"], answers: Record<string, PeerPage | PeerPageFailure>) {
  const asked: string[] = [];
  const warnings: unknown[] = [];
  const warn: Logger["warn"] = (message, fields) => warnings.push([message, fields]);
  const logger: Logger = { debug() {}, info() {}, warn, error() {} };
  const question: RemoteQuestion = {
    state,
    ownUrls: ["http://127.0.0.1:47120"],
    otherUrls: ["http://127.0.0.1:47110", "http://127.0.0.1:47100"],
    fetch: async (url, path, timeoutMs) => {
      asked.push(`${url.slice(-5)}${path} ${timeoutMs}`);
      return answers[`${url.slice(-5)}${path}`] ?? { error: "connection refused" };
    },
    logger,
  };
  return askRemoteCluster(question).then((cluster) => ({ cluster, asked, warnings }));
}

test("askRemoteCluster asks one after the other until one answers, then all for their versions", async () => {
  const { cluster, asked, warnings } = await ask("existing", {
    "47110/members": page(MEMBERS),
    "47110/version": page(VERSION),
  });
  expect(asked).toEqual([
    "47100/members 10000",
    "47110/members 10000",
    "47110/version 1000",
    "47100/version 1000",
  ]);
  expect(cluster?.clusterId).toBe(0xc961db4cb2cf6f18n);
  expect(cluster?.members.map(({ id, name }) => [id, name])).toEqual([
    [3386482507572500896n, "c"],
    [3391600068722843137n, "b"],
    [5261522835437705619n, 'a}"{'],
  ]);
  expect([...cluster!.versions!]).toEqual([
    [3391600068722843137n, "3.5.0"],
    [5261522835437705619n, null],
  ]);
  expect(warnings).toEqual([
    [
      "failed to get cluster response",
      { address: "http://127.0.0.1:47100/members", error: "connection refused" },
    ],
  ]);
});

test("askRemoteCluster believes anybody who knows that this member ran before", async () => {
  const unnamed = MEMBERS.replace(',"name":"c"', "");
  const lagging = { "47100/members": page(unnamed), "47100/version": page(VERSION) };
  const ownName = async (other: PeerPage) => {
    const { cluster, asked } = await ask("existing", { ...lagging, "47110/members": other });
    expect(asked.filter((each) => each.endsWith("/members 1000"))).toContain("47110/members 1000");
    return cluster!.members[0]!.name;
  };
  expect(await ownName(page(MEMBERS))).toBe("c");
  expect(await ownName(page(unnamed))).toBe("");
  expect(await ownName(page(MEMBERS, "abc"))).toBe("");
  expect(await ownName(page("", "", 404))).toBe("");
});

test("askRemoteCluster of a new member waits shortly and needs no answer", async () => {
  const { cluster, asked, warnings } = await ask("new", {});
  expect(cluster).toBeUndefined();
  expect(asked).toEqual(["47100/members 1000", "47110/members 1000"]);
  expect(warnings).toEqual([]);
});

test("askRemoteCluster passes over answers that are no cluster", async () => {
  const { cluster, warnings } = await ask("existing", {
    "47100/members": page("404 page not found\n", "", 404),
    "47110/members": page("[1]"),
  });
  expect(cluster).toBeUndefined();
  expect(warnings.map((warning) => (warning as [string, { error: string }])[1].error)).toEqual([
    "status 404",
    "the answer is not a list of members",
  ]);
});

test.each([
  [page(MEMBERS, ""), '"" is not an id'],
  [page(MEMBERS, "10000000000000000"), '"10000000000000000" is not an id'],
  [page("{}"), "the answer is not a list of members"],
  [page('[{"id":1}'), "the answer is not a list of members"],
  [page('[{"id":"x"}]'), "the answer is not a list of members"],
  [page('[{"id":0}]'), "the answer is not a list of members"],
])("readCluster says why an answer is none: %#", (answer, error) => {
  expect(readCluster(answer)).toHaveProperty("error", error);
});
