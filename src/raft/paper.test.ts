// One test for each claim of the Raft paper (Ongaro and Ousterhout, 2014), named by its section.
// Pre-vote and check-quorum, which the paper does not have, are off.

import { describe, expect, test } from "bun:test";
import type { RoleName } from "./ready.ts";
import { candidate, establishedLeader, leader, member } from "./testing/paper-roles.ts";
import { SeededRandom } from "./testing/seeded-random.ts";
import { entriesOf } from "./testing/test-member.ts";
import { accepted, append, ofKind, rejected, vote, voteResponse } from "./testing/test-messages.ts";

const below = (seed: number) => {
  const random = new SeededRandom(seed);
  return (bound: number) => random.below(bound);
};

const roles = { follower: member, candidate, leader };

describe("5.1 terms", () => {
  for (const [name, make] of Object.entries(roles)) {
    test(`a ${name} that sees a higher term takes it and is a follower`, () => {
      const one = make();
      const higher = one.status.term + 1;
      one.raft.step(append({ from: 2, term: higher }));
      expect(one.status).toMatchObject({ role: "follower", term: higher, leader: 2n });
    });
  }

  test("a request with a stale term is rejected", () => {
    const one = member({ terms: [2] });
    one.raft.step(append({ from: 2, term: 1, entries: entriesOf([1]) }));
    expect(one.settle()).toEqual([]);
    expect(one.status).toMatchObject({ term: 2, leader: 0n, lastIndex: 1 });
    expect(one.terms()).toEqual([2]);
  });
});

describe("5.2 leader election", () => {
  test("a member starts as a follower", () => {
    expect(member().status).toMatchObject({ role: "follower", leader: 0n });
  });

  test("a leader sends heartbeats to all followers", () => {
    const one = leader({ heartbeatTicks: 3 });
    one.tick(2);
    expect(one.settle()).toEqual([]);
    one.tick();
    const beats = ofKind(one.settle(), "heartbeat");
    expect(beats.map(({ to, term }) => [to, term])).toEqual([
      [2n, 1],
      [3n, 1],
    ]);
  });

  test("a follower that hears nothing for a timeout starts an election", () => {
    const one = member();
    one.tick(9);
    expect(one.status.role).toBe("follower");
    one.tick();
    expect(one.status).toMatchObject({ role: "candidate", term: 1, vote: 1n });
    expect(ofKind(one.settle(), "vote").map(({ to, term }) => [to, term])).toEqual([
      [2n, 1],
      [3n, 1],
    ]);
  });

  test("a candidate that does not win in time starts a new election", () => {
    const one = candidate();
    one.tick(10);
    expect(one.status).toMatchObject({ role: "candidate", term: 2 });
    expect(ofKind(one.settle(), "vote").map(({ to, term }) => [to, term])).toEqual([
      [2n, 2],
      [3n, 2],
    ]);
  });

  test("an election is won, lost or undecided in one round of answers", () => {
    const cases: [size: number, answers: Record<number, boolean>, role: RoleName][] = [
      [1, {}, "leader"],
      [3, { 2: true, 3: true }, "leader"],
      [3, { 2: true }, "leader"],
      [5, { 2: true, 3: true, 4: true, 5: true }, "leader"],
      [5, { 2: true, 3: true, 4: true }, "leader"],
      [5, { 2: true, 3: true }, "leader"],
      [3, { 2: false, 3: false }, "follower"],
      [5, { 2: false, 3: false, 4: false, 5: false }, "follower"],
      [5, { 2: true, 3: false, 4: false, 5: false }, "follower"],
      [3, {}, "candidate"],
      [5, { 2: true }, "candidate"],
      [5, { 2: false, 3: false }, "candidate"],
      [5, {}, "candidate"],
    ];
    for (const [size, answers, role] of cases) {
      const one = candidate({ voters: Array.from({ length: size }, (_, i) => i + 1) });
      for (const [from, granted] of Object.entries(answers)) {
        one.raft.step(voteResponse({ from: Number(from), term: 1, granted }));
      }
      expect([size, answers, one.status.role, one.status.term]).toEqual([size, answers, role, 1]);
    }
  });

  test("a follower votes for one candidate a term, first come first served", () => {
    const cases: [hasVoted: number, asks: number, granted: boolean][] = [
      [0, 2, true],
      [0, 3, true],
      [2, 2, true],
      [3, 3, true],
      [2, 3, false],
      [3, 2, false],
    ];
    for (const [hasVoted, asks, granted] of cases) {
      const one = member({ hardState: { term: 1, vote: BigInt(hasVoted), commit: 0 } });
      one.raft.step(vote({ from: asks, term: 1 }));
      expect(ofKind(one.settle(), "vote-response")).toMatchObject([
        { kind: "vote-response", from: 1n, to: BigInt(asks), term: 1, granted },
      ]);
    }
  });

  test("a candidate that hears a leader of its term or a later one falls back", () => {
    for (const term of [1, 2]) {
      const one = candidate();
      one.raft.step(append({ from: 3, term }));
      expect(one.status).toMatchObject({ role: "follower", term, leader: 3n });
    }
  });

  /** Timeouts of a member over many rounds, with a real spread of random numbers. */
  function timeouts(rounds: number, role: "follower" | "candidate", seed: number): number[] {
    const one = member({ random: below(seed) });
    const found: number[] = [];
    for (let round = 0; round < rounds; round++) {
      const { term } = one.status;
      if (role === "follower") one.raft.step(append({ from: 2, term: term + 1 }));
      const start = one.status.term;
      let ticks = 0;
      while (one.status.term === start) {
        one.tick();
        ticks++;
      }
      one.settle();
      found.push(ticks);
    }
    return found;
  }

  for (const role of ["follower", "candidate"] as const) {
    test(`the election timeout of a ${role} is randomized over one to two timeouts`, () => {
      const seen = new Set(timeouts(300, role, 7));
      expect([...seen].sort((a, b) => a - b)).toEqual([10, 11, 12, 13, 14, 15, 16, 17, 18, 19]);
    });

    test(`timeouts of several ${role}s seldom fall together`, () => {
      const rounds = 500;
      const all = [11, 12, 13, 14, 15].map((seed) => timeouts(rounds, role, seed));
      let conflicts = 0;
      for (let round = 0; round < rounds; round++) {
        const sorted = all.map((each) => each[round]!).sort((a, b) => a - b);
        if (sorted[0] === sorted[1]) conflicts++;
      }
      expect(conflicts / rounds).toBeLessThan(0.3);
    });
  }
});

describe("5.3 log replication", () => {
  test("a leader appends a proposal and sends it with what comes before", () => {
    const one = establishedLeader();
    expect(one.propose("some data")).toBe(2);
    const sent = ofKind(one.settle(), "append");
    expect(one.status).toMatchObject({ lastIndex: 2, commit: 1 });
    for (const message of sent) {
      expect(message).toMatchObject({ previousIndex: 1, previousTerm: 1, commit: 1, term: 1 });
      expect(message.entries.map(({ index, term }) => [index, term])).toEqual([[2, 1]]);
    }
    expect(sent.map(({ to }) => to)).toEqual([2n, 3n]);
  });

  test("a leader commits what a majority has, applies it, and tells the others", () => {
    const one = establishedLeader();
    one.propose("some data");
    one.settle();
    one.raft.step(accepted({ from: 2, term: 1, index: 2 }));
    const sent = ofKind(one.settle(), "append");
    expect(one.status.commit).toBe(2);
    expect(one.texts()).toEqual(["", "some data"]);
    expect(sent.map(({ to, commit }) => [to, commit])).toEqual([
      [2n, 2],
      [3n, 2],
    ]);
  });

  test("an entry is committed once a majority has acknowledged it", () => {
    const cases: [size: number, acknowledging: number[], committed: boolean][] = [
      [1, [], true],
      [3, [], false],
      [3, [2], true],
      [3, [2, 3], true],
      [5, [], false],
      [5, [2], false],
      [5, [2, 3], true],
      [5, [2, 3, 4], true],
      [5, [2, 3, 4, 5], true],
    ];
    for (const [size, acknowledging, committed] of cases) {
      const one = establishedLeader({ voters: Array.from({ length: size }, (_, i) => i + 1) });
      one.propose("x");
      one.settle();
      for (const from of acknowledging) one.raft.step(accepted({ from, term: 1, index: 2 }));
      one.settle();
      expect([size, acknowledging, one.status.commit === 2]).toEqual([
        size,
        acknowledging,
        committed,
      ]);
    }
  });

  test("committing an entry commits all before it, of earlier terms too", () => {
    for (const terms of [[], [2], [1, 2], [1]]) {
      const one = establishedLeader({ terms });
      one.propose("x");
      one.settle();
      one.raft.step(accepted({ from: 2, term: one.status.term, index: terms.length + 2 }));
      one.settle();
      expect(one.applied.map(({ index }) => index)).toEqual(
        Array.from({ length: terms.length + 2 }, (_, i) => i + 1),
      );
    }
  });

  test("a follower applies what it learns to be committed, in order", () => {
    const terms = [1, 1, 1];
    for (const commit of [1, 2, 3]) {
      const one = member();
      one.raft.step(append({ from: 2, term: 1, commit, entries: entriesOf(terms) }));
      one.settle();
      expect(one.texts()).toEqual(["1.1", "1.2", "1.3"].slice(0, commit));
    }
  });

  test("a follower commits no further than the append says that the logs agree", () => {
    // Entry 2 is a leftover of term 1; the leader's is committed and comes with the next message.
    const one = member({ terms: [1, 1] });
    one.raft.step(append({ from: 2, term: 2, previous: [1, 1], commit: 3 }));
    one.settle();
    expect(one.status.commit).toBe(1);
    const entries = entriesOf([2, 2], 2);
    one.raft.step(append({ from: 2, term: 2, previous: [1, 1], commit: 3, entries }));
    one.settle();
    expect(one.texts()).toEqual(["1.1", "2.2", "2.3"]);
  });

  test("a follower refuses entries when it lacks the one before them", () => {
    const cases: [previous: [number, number], index: number, hint: [number, number] | null][] = [
      [[0, 0], 1, null],
      [[1, 1], 1, null],
      [[2, 2], 2, null],
      // The term at that index is another one.
      [[1, 2], 1, [1, 1]],
      [[2, 1], 2, [1, 1]],
      // There is nothing at that index.
      [[3, 3], 3, [2, 2]],
    ];
    for (const [previous, index, hint] of cases) {
      const one = member({ terms: [1, 2], hardState: { term: 2, vote: 0n, commit: 1 } });
      one.raft.step(append({ from: 2, term: 2, previous }));
      const [answer] = one.settle();
      if (hint === null) expect(answer).toMatchObject({ kind: "append-accepted", index });
      else {
        const [hintIndex, hintTerm] = hint;
        expect(answer).toMatchObject({ kind: "append-rejected", index, hintIndex, hintTerm });
      }
    }
  });

  test("a follower deletes what conflicts with the leader, and appends what is new", () => {
    const cases: [previous: [number, number], sent: number[], terms: number[], saved: number][] = [
      [[2, 2], [3], [1, 2, 3], 1],
      [[1, 1], [3, 4], [1, 3, 4], 2],
      [[0, 0], [1], [1, 2], 0],
      [[0, 0], [3], [3], 1],
    ];
    for (const [previous, sent, terms, saved] of cases) {
      const one = member({ terms: [1, 2] });
      const entries = entriesOf(sent, previous[0] + 1);
      one.raft.step(append({ from: 2, term: 4, previous, entries }));
      expect(one.raft.takeReady()!.entries.length).toBe(saved);
      const again = member({ terms: [1, 2] });
      again.raft.step(append({ from: 2, term: 4, previous, entries }));
      again.settle();
      expect(again.terms()).toEqual(terms);
    }
  });

  test("a leader brings every follower log of figure 7 into agreement with its own", () => {
    const leaderTerms = [1, 1, 1, 4, 4, 5, 5, 6, 6, 6];
    const followers = [
      [1, 1, 1, 4, 4, 5, 5, 6, 6],
      [1, 1, 1, 4],
      [1, 1, 1, 4, 4, 5, 5, 6, 6, 6, 6],
      [1, 1, 1, 4, 4, 5, 5, 6, 6, 6, 7, 7],
      [1, 1, 1, 4, 4, 4, 4],
      [1, 1, 1, 2, 2, 2, 3, 3, 3, 3, 3],
    ];
    for (const terms of followers) {
      const lead = member({ terms: leaderTerms, hardState: { term: 7, vote: 0n, commit: 10 } });
      const follow = member({ id: 2, terms, hardState: { term: 7, vote: 0n, commit: 0 } });
      lead.raft.campaign();
      // The third member makes the majority: its log may be as short as it likes.
      lead.settle();
      lead.raft.step(voteResponse({ from: 3, term: 8, granted: true }));
      for (let round = 0; round < 20; round++) {
        for (const message of lead.settle()) if (message.to === 2n) follow.raft.step(message);
        for (const message of follow.settle()) lead.raft.step(message);
      }
      expect(follow.terms()).toEqual([...leaderTerms, 8]);
      expect(follow.terms()).toEqual(lead.terms());
      expect(follow.status.commit).toBe(11);
    }
  });
});

describe("5.4 safety", () => {
  test("5.4.1 a vote request says how up to date the candidate's log is", () => {
    for (const terms of [[1], [1, 2]]) {
      const one = member();
      one.raft.step(append({ from: 2, term: terms.length + 1, entries: entriesOf(terms) }));
      one.settle();
      one.tick(10);
      const asked = ofKind(one.settle(), "vote");
      expect(asked.map(({ to }) => to)).toEqual([2n, 3n]);
      for (const { term, lastIndex, lastTerm } of asked) {
        expect([term, lastIndex, lastTerm]).toEqual([
          terms.length + 2,
          terms.length,
          terms.at(-1)!,
        ]);
      }
    }
  });

  test("5.4.1 a voter refuses a candidate whose log is less up to date", () => {
    const cases: [own: number[], last: [lastTerm: number, lastIndex: number], granted: boolean][] =
      [
        [[1], [1, 1], true],
        [[1], [1, 2], true],
        [[1, 1], [1, 1], false],
        [[1], [2, 1], true],
        [[1], [2, 2], true],
        [[1, 1], [2, 1], true],
        [[2], [1, 1], false],
        [[2], [1, 2], false],
        [[2, 2], [1, 1], false],
      ];
    for (const [terms, [lastTerm, lastIndex], granted] of cases) {
      const one = member({ terms });
      one.raft.step(vote({ from: 2, term: 3, lastIndex, lastTerm }));
      expect(ofKind(one.settle(), "vote-response")).toMatchObject([{ term: 3, granted }]);
    }
  });

  test("5.4.2 only entries of the leader's own term commit by counting copies", () => {
    const cases: [index: number, commit: number][] = [
      [1, 0],
      [2, 0],
      [3, 3],
    ];
    for (const [index, commit] of cases) {
      const one = leader({ terms: [1, 2] });
      expect(one.terms()).toEqual([1, 2, 3]);
      // The probe from the end did not fit this follower, so what it accepts is what it has.
      one.raft.step(rejected({ from: 2, term: 3, index: 2, hint: [0, 0] }));
      one.settle();
      one.raft.step(accepted({ from: 2, term: 3, index }));
      one.settle();
      expect(one.status.commit).toBe(commit);
    }
  });
});
