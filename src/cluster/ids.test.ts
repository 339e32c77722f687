import { expect, test } from "bun:test";
import { newBunDigest } from "../io/bun/index.ts";
import { clusterIdOf, memberIdOf } from "./ids.ts";

test("memberIdOf and clusterIdOf give what real members have", () => {
  const one = memberIdOf(newBunDigest, ["http://localhost:2380"], "etcd-cluster");
  expect(one.toString(16)).toBe("8e9e05c52164694d");
  expect(clusterIdOf(newBunDigest, [one]).toString(16)).toBe("cdf818194e3a8c32");
  const three = ["31380", "32380", "33380"].map((port) =>
    memberIdOf(newBunDigest, [`http://127.0.0.1:${port}`], "tok"),
  );
  expect(three.map((id) => id.toString(16))).toEqual([
    "f97e86855c631539",
    "ca7a34e16cff9c1b",
    "daa54702714a88a8",
  ]);
  expect(clusterIdOf(newBunDigest, three).toString(16)).toBe("2184ec6f8bf7f6ed");
});
