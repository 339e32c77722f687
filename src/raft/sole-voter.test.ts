// What the last voter may read without asking anybody.

import { expect, test } from "bun:test";
import { TestMember } from "./testing/test-member.ts";
import { accepted, voteResponse } from "./testing/test-messages.ts";

test("the last voter reads nothing older than what the removed one may have answered", () => {
  const one = new TestMember({ id: 1, voters: [1, 2], preVote: false });
  one.raft.campaign();
  one.settle();
  one.raft.step(voteResponse({ from: 2, term: 1, granted: true }));
  one.settle();
  one.raft.step(accepted({ from: 2, term: 1, index: 1 }));
  one.settle();
  expect(one.raft.readableIndex()).toBe(-1);
  one.proposeChange("remove", 2);
  one.propose("answered by 2");
  one.settle();
  // From here on member 2 can be told that both are committed, apply both, and answer its client.
  one.isApplySlow = true;
  one.raft.step(accepted({ from: 2, term: 1, index: 3 }));
  one.settle();
  expect(one.raft.configuration.voters).toEqual([1n]);
  expect(one.raft.readableIndex()).toBe(3);
  // What it commits alone, nobody else answers.
  one.propose("later");
  one.settle();
  expect(one.status.commit).toBe(4);
  expect(one.raft.readableIndex()).toBe(3);
});
