// A member in each role of the paper: no pre-vote, no check-quorum, nobody else alive.

import { assert } from "../../base/assert.ts";
import { TestMember, type TestMemberOptions } from "./test-member.ts";
import { accepted, voteResponse } from "./test-messages.ts";

export function member(options: Partial<TestMemberOptions> = {}): TestMember {
  return new TestMember({ id: 1, preVote: false, checkQuorum: false, ...options });
}

export function candidate(options: Partial<TestMemberOptions> = {}): TestMember {
  const one = member(options);
  one.raft.campaign();
  one.settle();
  return one;
}

/** Leads with its first entry accepted by nobody else yet; what it sent so far is gone. */
export function leader(options: Partial<TestMemberOptions> = {}): TestMember {
  const one = candidate(options);
  const { term, configuration } = one.status;
  for (const voter of configuration.voters) {
    if (voter !== 1n) one.raft.step(voteResponse({ from: Number(voter), term, granted: true }));
  }
  assert(one.status.role === "leader", `member 1 is ${one.status.role}`);
  one.settle();
  return one;
}

/** A leader whose first entry everyone has. */
export function establishedLeader(options: Partial<TestMemberOptions> = {}): TestMember {
  const one = leader(options);
  const { term, lastIndex, configuration } = one.status;
  for (const voter of configuration.voters) {
    if (voter !== 1n) one.raft.step(accepted({ from: Number(voter), term, index: lastIndex }));
  }
  one.settle();
  return one;
}
