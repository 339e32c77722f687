import { expect, test } from "bun:test";
import { SingleVoter } from "./single-voter.ts";
import type { Entry } from "./types.ts";

const data = new Uint8Array([1]);
const entry = (term: number, index: number): Entry => ({ term, index, kind: 0, data });
function voter(entries: Entry[], appliedIndex: number): SingleVoter {
  const hardState = { term: entries.at(-1)?.term ?? 1, vote: 7n, commit: 0 };
  return new SingleVoter({ memberId: 7n, hardState, entries, appliedIndex });
}

test("SingleVoter commits nothing before it is persisted", () => {
  const log = voter([], 0);
  log.campaign();
  const first = log.propose(0, data);
  expect(log.takeReady()?.entries.length).toBe(2);
  expect(log.takeCommitted(10)).toEqual([]);
  expect(log.isReadable()).toBe(false);
  log.persisted(first - 1);
  expect(log.isReadable()).toBe(true);
  expect(log.takeCommitted(10).map((e) => e.index)).toEqual([first - 1]);
  log.persisted(first);
  expect(log.takeCommitted(10).map((e) => e.index)).toEqual([first]);
  expect(log.takeReady()).toBeNull();
});

test("SingleVoter takes no proposals before it leads, and says its term and vote when it does", () => {
  const log = voter([entry(3, 5), entry(3, 6)], 5);
  expect(log.propose(0, data)).toBe(0);
  log.campaign();
  const ready = log.takeReady();
  expect(ready?.hardState).toEqual({ term: 4, vote: 7n, commit: 5 });
  expect(ready?.entries.map((e) => [e.term, e.index])).toEqual([[4, 7]]);
});

test("SingleVoter hands out recovered entries only with its first own entry", () => {
  const log = voter([entry(3, 5), entry(3, 6)], 5);
  log.campaign();
  log.takeReady();
  log.persisted(6);
  expect(log.takeCommitted(10)).toEqual([]);
  log.persisted(7);
  expect(log.takeCommitted(1).map((e) => e.index)).toEqual([6]);
  expect(log.takeCommitted(10).map((e) => e.index)).toEqual([7]);
});

test("SingleVoter refuses a log with a hole after the applied index", () => {
  expect(() => voter([entry(1, 9)], 5)).toThrow("hole");
});
