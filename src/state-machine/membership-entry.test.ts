// What the log carries comes back as it was; bytes that are no entry give null, never an exception.
import { expect, test } from "bun:test";
import fc from "fast-check";
import { utf8 } from "../base/bytes.ts";
import { encodeCbor } from "../base/cbor.ts";
import { encodeMember } from "../cluster/index.ts";
import {
  decodeMembershipEntry,
  encodeMembershipEntry,
  MEMBER_URLS_MAX,
  type MembershipEntry,
} from "./membership-entry.ts";

const count = fc.integer({ min: 0, max: Number.MAX_SAFE_INTEGER });
const texts = fc.array(fc.string({ unit: "grapheme" }), { maxLength: 4 });

const entries: fc.Arbitrary<MembershipEntry> = fc
  .record({
    change: fc.constantFrom("add-voter", "add-learner", "promote", "remove", "update"),
    member: fc.record({
      id: fc.bigInt({ min: 1n, max: (1n << 64n) - 1n }),
      peerUrls: texts,
      name: fc.string({ unit: "grapheme" }),
      clientUrls: texts,
    }),
    learnersMax: count,
    origin: fc.integer({ min: 0, max: 2 ** 48 - 1 }),
    requestId: count,
  } as const)
  .map((entry) => {
    const change = entry.change as MembershipEntry["change"];
    return { ...entry, change, member: { ...entry.member, isLearner: change === "add-learner" } };
  });

test("a membership entry survives the log", () => {
  fc.assert(
    fc.property(entries, (entry) => {
      expect(decodeMembershipEntry(encodeMembershipEntry(entry))).toEqual(entry);
    }),
  );
});

test("decodeMembershipEntry never throws, and takes nothing that was cut off or added to", () => {
  fc.assert(
    fc.property(entries, fc.uint8Array({ maxLength: 40 }), fc.nat(), (entry, noise, at) => {
      decodeMembershipEntry(noise);
      const bytes = encodeMembershipEntry(entry);
      expect(decodeMembershipEntry(bytes.subarray(0, at % bytes.length))).toBeNull();
      expect(decodeMembershipEntry(new Uint8Array([...bytes, 0]))).toBeNull();
      const damaged = bytes.slice();
      damaged[at % bytes.length] = (damaged[at % bytes.length]! + 1 + (at % 255)) & 255;
      decodeMembershipEntry(damaged);
    }),
  );
});

test("decodeMembershipEntry refuses fields outside their bounds", () => {
  const form = (...fields: Parameters<typeof encodeCbor>[0][]) =>
    decodeMembershipEntry(encodeCbor(fields));
  expect(form(1, 2, 3, 4n, ["u"], "n", [], 1)).not.toBeNull();
  expect(form(0, 2, 3, 4n, ["u"], "n", [], 1)).toBeNull();
  expect(form(6, 2, 3, 4n, ["u"], "n", [], 1)).toBeNull();
  expect(form(1n, 2, 3, 4n, ["u"], "n", [], 1)).toBeNull();
  expect(form(1, -2, 3, 4n, ["u"], "n", [], 1)).toBeNull();
  expect(form(1, 2, 3.5, 4n, ["u"], "n", [], 1)).toBeNull();
  expect(form(1, 2, 3, 4, ["u"], "n", [], 1)).toBeNull();
  expect(form(1, 2, 3, 0n, ["u"], "n", [], 1)).toBeNull();
  expect(form(1, 2, 3, -1n, ["u"], "n", [], 1)).toBeNull();
  expect(form(1, 2, 3, 4n, [5], "n", [], 1)).toBeNull();
  expect(form(1, 2, 3, 4n, ["u".repeat(3000)], "n", [], 1)).toBeNull();
  expect(form(1, 2, 3, 4n, new Array(MEMBER_URLS_MAX + 1).fill("u"), "n", [], 1)).toBeNull();
  expect(form(1, 2, 3, 4n, ["u"], null, [], 1)).toBeNull();
  expect(form(1, 2, 3, 4n, ["u"], "n", [], 1, 9)).toBeNull();
  expect(decodeMembershipEntry(utf8("{}"))).toBeNull();
  expect(decodeMembershipEntry(utf8("{"))).toBeNull();
});

test("a member that wrote itself down in an earlier version is a voter that is added", () => {
  const member = {
    id: 18446744073709551615n,
    peerUrls: ["http://p:1"],
    name: "",
    clientUrls: [],
    isLearner: false,
  };
  expect(decodeMembershipEntry(utf8(encodeMember(member)))).toEqual({
    change: "add-voter",
    member,
    learnersMax: 0,
    origin: 0,
    requestId: 0,
  });
});
