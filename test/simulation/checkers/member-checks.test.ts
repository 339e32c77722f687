import { expect, test } from "bun:test";
import { checkOneLeaderPerTerm, LeadersByTerm } from "./one-leader-per-term.ts";
import { checkSameState, SameState } from "./same-state.ts";

test("checkOneLeaderPerTerm allows a leader again and again, and another one in another term", () => {
  const good = [
    { term: 1, member: "a" },
    { term: 1, member: "a" },
    { term: 3, member: "b" },
    { term: 1, member: "a" },
    { term: 4, member: "a" },
  ];
  expect(checkOneLeaderPerTerm(good)).toEqual([]);
  const [violation, ...more] = checkOneLeaderPerTerm([...good, { term: 3, member: "c" }]);
  expect(violation).toEqual({ rule: "one-leader", message: "b and c both lead in term 3" });
  expect(more).toEqual([]);
});

test("LeadersByTerm keeps the first leader after a violation", () => {
  const leaders = new LeadersByTerm();
  expect(leaders.observe(1, "a")).toBeNull();
  expect(leaders.observe(1, "b")).not.toBeNull();
  expect(leaders.observe(1, "a")).toBeNull();
  expect(leaders.observe(1, "b")).not.toBeNull();
});

test("checkSameState wants equal hashes at equal places, from one member too", () => {
  const good = [
    { at: 1, member: "a", hash: 10 },
    { at: 2, member: "a", hash: 20 },
    { at: 1, member: "b", hash: 10 },
    { at: 2, member: "a", hash: 20 },
  ];
  expect(checkSameState(good)).toEqual([]);
  const [violation] = checkSameState([...good, { at: 2, member: "b", hash: 21 }]);
  expect(violation?.message).toBe("at index 2 a has 20, b has 21");
  expect(checkSameState([...good, { at: 1, member: "a", hash: 11 }])).toHaveLength(1);
});

test("SameState tells places by text, so that revision and compacted revision make one", () => {
  const state = new SameState("revision/compacted");
  expect(state.observe("9/3", "a", 5n)).toBeNull();
  expect(state.observe("9/4", "b", 6n)).toBeNull();
  expect(state.observe("9/3", "c", 6n)?.message).toContain("revision/compacted 9/3");
});
