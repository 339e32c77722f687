// The rules of strict reconfiguration, by examples from etcd's server.go and from what a real one answered.
import { expect, test } from "bun:test";
import { errMemberNotEnoughStarted, errUnhealthy } from "../api/index.ts";
import type { Member, Membership } from "../cluster/index.ts";
import { type Clock, silentLogger } from "../io/index.ts";
import { ReconfigurationGuard } from "./reconfiguration-guard.ts";

const NOW = 100_000;
const LONG = NOW - 5000;
const SHORT = NOW - 4999;
const DOWN = Number.NaN;

/** Members as text: voters "s" started, "u" unstarted; learners "l". Ids count from 1; this member is 1. */
function guardOf(kinds: string, activeSince: Record<number, number> = {}, isStrict = true) {
  const members: Member[] = [...kinds].map((kind, i) => ({
    id: BigInt(i + 1),
    name: kind === "u" ? "" : `m${i + 1}`,
    peerUrls: [],
    clientUrls: [],
    isLearner: kind === "l",
  }));
  return new ReconfigurationGuard({
    memberId: 1n,
    membership: {
      members: () => members,
      member: (id: bigint) => members.find((member) => member.id === id),
    } as unknown as Membership,
    clock: { monotonicMs: () => NOW } as Clock,
    logger: silentLogger,
    isStrict,
    activeSinceMs: (id) => activeSince[Number(id)] ?? DOWN,
  });
}

const voter = { id: 99n, name: "", peerUrls: [], clientUrls: [], isLearner: false };
const learner = { ...voter, isLearner: true };

test("a cluster of one may grow to two, and no further before the second has started", () => {
  expect(guardOf("s").refusalToAdd(voter)).toBeNull();
  expect(guardOf("su").refusalToAdd(voter)).toBe(errMemberNotEnoughStarted);
  expect(guardOf("su").refusalToAdd(learner)).toBe(errUnhealthy);
  expect(guardOf("ss", { 2: LONG }).refusalToAdd(voter)).toBeNull();
});

test("adding needs a majority of the larger cluster that has been connected for five seconds", () => {
  expect(guardOf("sss", { 2: LONG, 3: LONG }).refusalToAdd(voter)).toBeNull();
  // Seen on etcd: of three one is down, and neither a voter nor a learner is added; of four or five one may be.
  expect(guardOf("sss", { 2: LONG }).refusalToAdd(voter)).toBe(errUnhealthy);
  expect(guardOf("sss", { 2: LONG }).refusalToAdd(learner)).toBe(errUnhealthy);
  expect(guardOf("ssss", { 2: LONG, 3: LONG }).refusalToAdd(voter)).toBeNull();
  expect(guardOf("ssss", { 2: LONG, 3: LONG }).refusalToAdd(learner)).toBeNull();
  expect(guardOf("sssss", { 2: LONG, 3: LONG, 4: LONG }).refusalToAdd(voter)).toBeNull();
  expect(guardOf("sssss", { 2: LONG, 3: LONG }).refusalToAdd(voter)).toBe(errUnhealthy);
  expect(guardOf("sss", { 2: LONG, 3: SHORT }).refusalToAdd(voter)).toBe(errUnhealthy);
  expect(guardOf("sss").refusalToAdd(learner)).toBe(errUnhealthy);
  // Learners are no part of a majority.
  expect(guardOf("sll", {}).refusalToAdd(voter)).toBeNull();
  expect(guardOf("sssl", { 2: LONG, 4: LONG }).refusalToAdd(voter)).toBe(errUnhealthy);
});

test("adding needs as many started members as the larger cluster's majority", () => {
  expect(guardOf("ssu", { 2: LONG }).refusalToAdd(voter)).toBe(errMemberNotEnoughStarted);
  expect(guardOf("sssu", { 2: LONG, 3: LONG }).refusalToAdd(voter)).toBeNull();
});

test("removing must leave a majority that has started and is connected", () => {
  expect(guardOf("s").refusalToRemove(1n)).toBe(errMemberNotEnoughStarted);
  expect(guardOf("su").refusalToRemove(1n)).toBe(errMemberNotEnoughStarted);
  expect(guardOf("su").refusalToRemove(2n)).toBeNull();
  expect(guardOf("sss", { 2: LONG, 3: LONG }).refusalToRemove(3n)).toBeNull();
  expect(guardOf("sss", { 2: LONG, 3: SHORT }).refusalToRemove(3n)).toBe(errUnhealthy);
  expect(guardOf("sss", { 2: LONG, 3: LONG }).refusalToRemove(1n)).toBeNull();
  expect(guardOf("sss", { 2: LONG }).refusalToRemove(1n)).toBe(errUnhealthy);
});

test("removing a member that is down, or a learner, is always allowed", () => {
  expect(guardOf("sss", { 2: SHORT }).refusalToRemove(3n)).toBeNull();
  expect(guardOf("sssl", {}).refusalToRemove(4n)).toBeNull();
  // Whom nobody knows is refused when the change is applied.
  expect(guardOf("s").refusalToRemove(77n)).toBeNull();
});

test("promoting counts the learner as started", () => {
  expect(guardOf("sl").refusalToPromote(2n)).toBeNull();
  expect(guardOf("sul").refusalToPromote(3n)).toBeNull();
  expect(guardOf("suul").refusalToPromote(4n)).toBe(errMemberNotEnoughStarted);
});

test("without the check everything goes", () => {
  const guard = guardOf("suu", {}, false);
  expect(guard.refusalToAdd(voter)).toBeNull();
  expect(guard.refusalToRemove(1n)).toBeNull();
  expect(guard.refusalToPromote(2n)).toBeNull();
});
