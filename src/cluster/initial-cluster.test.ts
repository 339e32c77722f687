// The text of --initial-cluster, and the ids that etcd gives its members.
import { expect, test } from "bun:test";
import { newBunDigest } from "../io/bun/index.ts";
import { hexId } from "./index.ts";
import { initialClusterOf, initialClusterText, parseInitialCluster } from "./initial-cluster.ts";

test("parseInitialCluster gathers the URLs of a name and keeps what is no pair", () => {
  const text = "b=http://b:2, a=http://a:1,b=http://b:1,lonely";
  expect([...parseInitialCluster(text)]).toEqual([
    ["b", ["http://b:2", "http://b:1"]],
    ["a", ["http://a:1"]],
    ["lonely", [""]],
  ]);
  expect(initialClusterText(parseInitialCluster(text))).toBe(
    "a=http://a:1,b=http://b:1,b=http://b:2,lonely=",
  );
});

// Seen on a real cluster of three.
test("initialClusterOf gives the ids of a real cluster, whatever the order and the names", () => {
  for (const text of [
    "a=http://127.0.0.1:31380,b=http://127.0.0.1:32380,c=http://127.0.0.1:33380",
    "z=http://127.0.0.1:33380,y=http://127.0.0.1:31380,x=http://127.0.0.1:32380",
  ]) {
    const { clusterId, members } = initialClusterOf(parseInitialCluster(text), "tok", newBunDigest);
    expect(hexId(clusterId)).toBe("2184ec6f8bf7f6ed");
    expect(members.map(({ id }) => hexId(id))).toEqual([
      "ca7a34e16cff9c1b",
      "daa54702714a88a8",
      "f97e86855c631539",
    ]);
    expect(members.map(({ peerUrls }) => peerUrls)).toEqual([
      ["http://127.0.0.1:32380"],
      ["http://127.0.0.1:33380"],
      ["http://127.0.0.1:31380"],
    ]);
  }
});
