// The pace of a leader towards each follower, and the bounds on what it takes in.

import { describe, expect, test } from "bun:test";
import { ENTRY_OVERHEAD_BYTES } from "./entry.ts";
import { Inflights } from "./inflights.ts";
import { Progress } from "./progress.ts";
import { TestCluster } from "./testing/test-cluster.ts";
import type { TestMember, TestMemberOptions } from "./testing/test-member.ts";
import { accepted, heartbeatResponse, ofKind, rejected } from "./testing/test-messages.ts";

/** A leader of three whose first entry both others have; its messages are in the test's hand. */
function leader(options: Partial<TestMemberOptions> = {}): TestMember {
  const one = TestCluster.of(3, options).elect(1);
  one.settle();
  return one;
}

const rowOf = (one: TestMember, member: bigint) =>
  one.status.progress.find((each) => each.member === member)!;

function appendsTo(one: TestMember, member: bigint) {
  return ofKind(one.settle(), "append").filter(({ to }) => to === member);
}

describe("replicate", () => {
  test("a replicating follower is sent entries ahead of its answers", () => {
    const one = leader();
    for (const text of ["a", "b", "c"]) {
      one.propose(text);
      expect(appendsTo(one, 2n).map(({ entries }) => entries.length)).toEqual([1]);
    }
    expect(rowOf(one, 2n)).toMatchObject({ match: 1, next: 5, inflightMessages: 3 });
  });

  test("proposals of one turn share a message, up to its size", () => {
    const one = leader({ messageBytesMax: 2 * (ENTRY_OVERHEAD_BYTES + 10) });
    for (let i = 0; i < 5; i++) one.propose("0123456789");
    expect(appendsTo(one, 2n).map(({ entries }) => entries.length)).toEqual([2, 2, 1]);
  });

  test("an entry above the message size travels alone", () => {
    const one = leader({ messageBytesMax: 1 });
    one.propose("0123456789");
    one.propose("0123456789");
    expect(appendsTo(one, 2n).map(({ entries }) => entries.length)).toEqual([1, 1]);
  });

  test("a full window stops sending; an answer moves it", () => {
    const one = leader({ inflightMessagesMax: 2, messageBytesMax: 1 });
    for (let i = 0; i < 4; i++) one.propose("x");
    expect(appendsTo(one, 2n).length).toBe(2);
    expect(rowOf(one, 2n).isPaused).toBe(true);
    one.propose("y");
    expect(appendsTo(one, 2n)).toEqual([]);
    one.raft.step(accepted({ from: 2, term: 1, index: 2 }));
    expect(appendsTo(one, 2n).map(({ previousIndex }) => previousIndex)).toEqual([3]);
    // Answers out of order: the later one frees both, the earlier one then says nothing new.
    one.raft.step(accepted({ from: 2, term: 1, index: 4 }));
    one.raft.step(accepted({ from: 2, term: 1, index: 3 }));
    const sent = appendsTo(one, 2n);
    expect(sent.flatMap(({ entries }) => entries.map(({ index }) => index))).toEqual([5, 6]);
  });

  test("the window is bounded in bytes too", () => {
    const entryBytes = ENTRY_OVERHEAD_BYTES + 10;
    const one = leader({ inflightBytesMax: 2 * entryBytes, messageBytesMax: 1 });
    for (let i = 0; i < 5; i++) one.propose("0123456789");
    expect(appendsTo(one, 2n).length).toBe(2);
    one.raft.step(accepted({ from: 2, term: 1, index: 2 }));
    expect(appendsTo(one, 2n).length).toBe(1);
  });

  test("a full window lets one empty append through per answered heartbeat", () => {
    const one = leader({ inflightMessagesMax: 1 });
    one.propose("lost");
    one.settle();
    one.propose("waits");
    expect(appendsTo(one, 2n)).toEqual([]);
    one.raft.step(heartbeatResponse({ from: 2, term: 1 }));
    const [probe] = appendsTo(one, 2n);
    expect(probe).toMatchObject({ previousIndex: 2, entries: [] });
    expect(appendsTo(one, 2n)).toEqual([]);
    // It shows what was lost, and the entries are sent again.
    one.raft.step(rejected({ from: 2, term: 1, index: 2, hint: [1, 1] }));
    expect(rowOf(one, 2n).state).toBe("probe");
    const [again] = appendsTo(one, 2n);
    expect(again!.entries.map(({ index }) => index)).toEqual([2, 3]);
  });

  test("an idle follower learns a new commit index, but only once", () => {
    const cluster = TestCluster.of(3);
    const one = cluster.elect(1);
    one.propose("a");
    one.settle();
    one.raft.step(accepted({ from: 3, term: 1, index: 2 }));
    const sent = ofKind(one.settle(), "append");
    expect(sent.map(({ to, commit, entries }) => [to, commit, entries.length])).toEqual([
      [2n, 2, 0],
      [3n, 2, 0],
    ]);
    expect(one.settle()).toEqual([]);
  });
});

describe("probe", () => {
  function probing(): TestMember {
    const one = leader();
    one.raft.reportUnreachable(2n);
    return one;
  }

  test("an unreachable follower is probed: one append, then silence until an answer", () => {
    const one = probing();
    expect(rowOf(one, 2n)).toMatchObject({ state: "probe", next: 2 });
    one.propose("a");
    expect(appendsTo(one, 2n).length).toBe(1);
    one.propose("b");
    expect(appendsTo(one, 2n)).toEqual([]);
    one.tick(3);
    expect(appendsTo(one, 2n)).toEqual([]);
    for (let i = 0; i < 3; i++) {
      one.raft.step(heartbeatResponse({ from: 2, term: 1 }));
      one.raft.step(heartbeatResponse({ from: 2, term: 1 }));
      const sent = appendsTo(one, 2n);
      expect(sent.length).toBeGreaterThan(0);
      expect(sent.every(({ previousIndex }) => previousIndex === 1)).toBe(true);
    }
  });

  test("an answer, even one that repeats what is known, brings it back to replicate", () => {
    const one = probing();
    one.raft.step(accepted({ from: 2, term: 1, index: 1 }));
    expect(rowOf(one, 2n).state).toBe("replicate");
  });

  test("heartbeat_resp_recovers_from_probing: an idle log does not keep a follower probing", () => {
    const one = probing();
    one.tick();
    one.raft.step(heartbeatResponse({ from: 2, term: 1 }));
    expect(appendsTo(one, 2n)).toMatchObject([{ entries: [], previousIndex: 1 }]);
    one.raft.step(accepted({ from: 2, term: 1, index: 1 }));
    expect(rowOf(one, 2n).state).toBe("replicate");
  });

  test("reports about followers that are probed, unknown or the leader's own change nothing", () => {
    const one = probing();
    const before = one.status;
    one.raft.reportUnreachable(2n);
    one.raft.reportUnreachable(9n);
    one.raft.reportSnapshot(2n, true);
    one.raft.reportSnapshot(9n, false);
    expect(one.status).toEqual(before);
  });

  test("the hint skips a whole term in one round (fast log rejection)", () => {
    const voters = [1, 2, 3];
    const hardState = { term: 5, vote: 0n, commit: 0 };
    // index            1  2  3  4  5  6  7  8  9
    const own = [1, 3, 3, 3, 5, 5, 5, 5, 5];
    const cases: [follower: number[], rounds: number][] = [
      [[1, 3, 3, 3, 4, 4, 4], 2],
      [[1, 2, 2, 2, 2, 2], 2],
      [[1, 1, 1, 1, 1, 1, 1, 1], 2],
      [[1, 3, 3, 3, 5], 2],
      [[1, 3, 4, 4, 4, 4, 4, 4, 4], 2],
      [[], 2],
    ];
    for (const [terms, rounds] of cases) {
      const cluster = new TestCluster([
        { id: 1, voters, terms: own, hardState },
        { id: 2, voters, terms, hardState },
        { id: 3, voters, terms: own, hardState },
      ]);
      cluster.elect(1);
      const rejections = ofKind(cluster.trace, "append-rejected").filter((m) => m.from === 2n);
      expect([terms, rejections.length <= rounds]).toEqual([terms, true]);
      expect(cluster.at(2).terms()).toEqual(cluster.at(1).terms());
    }
  });

  test("a stale rejection is ignored", () => {
    const one = probing();
    one.propose("a");
    one.settle();
    one.raft.step(rejected({ from: 2, term: 1, index: 77, hint: [0, 0] }));
    expect(rowOf(one, 2n)).toMatchObject({ next: 2, isPaused: true });
  });
});

describe("Progress", () => {
  const fresh = (next = 1) => new Progress(next, new Inflights(4, 1e6), true);

  test("accepted moves match and next forward only", () => {
    const row = fresh(6);
    expect(row.accepted(3, 1)).toBe(true);
    expect([row.match, row.next, row.state]).toEqual([3, 4, "replicate"]);
    expect(row.accepted(2, 1)).toBe(false);
    expect(row.accepted(3, 1)).toBe(false);
    row.appendSent(2, 10, 3);
    expect(row.next).toBe(6);
    expect(row.accepted(4, 1)).toBe(true);
    expect([row.match, row.next]).toEqual([4, 6]);
  });

  test("rejected falls back to the hint, never to or below match", () => {
    const row = fresh(10);
    expect(row.rejected(8, 3)).toBe(false);
    expect(row.rejected(9, 3)).toBe(true);
    expect(row.next).toBe(4);
    expect(row.rejected(3, 0)).toBe(true);
    expect(row.next).toBe(1);
    row.accepted(5, 1);
    row.appendSent(3, 10, 0);
    expect(row.rejected(5, 2)).toBe(false);
    expect(row.rejected(8, 6)).toBe(true);
    expect([row.state, row.next]).toEqual(["probe", 6]);
  });

  test("a snapshot holds everything until its report or an answer that reaches the log", () => {
    const row = fresh(3);
    row.snapshotSent(20);
    expect([row.state, row.next, row.isPaused()]).toEqual(["snapshot", 21, true]);
    row.heartbeatAnswered();
    expect(row.isPaused()).toBe(true);
    expect(row.rejected(20, 1)).toBe(false);
    row.unreachable();
    expect(row.state).toBe("snapshot");
    // Still behind what the log holds: the snapshot is needed all the same.
    expect(row.accepted(5, 10)).toBe(true);
    expect(row.state).toBe("snapshot");
    expect(row.accepted(9, 10)).toBe(true);
    expect([row.state, row.match, row.next]).toEqual(["replicate", 9, 10]);
  });

  test("a snapshot that succeeded is probed behind it, a failed one from match", () => {
    for (const succeeded of [true, false]) {
      const row = fresh(3);
      row.snapshotSent(20);
      row.snapshotReported(succeeded);
      expect([row.state, row.next, row.isPaused()]).toEqual(["probe", succeeded ? 21 : 1, true]);
      row.heartbeatAnswered();
      expect(row.isPaused()).toBe(false);
    }
  });

  test("its own row never goes back", () => {
    const row = fresh();
    row.ownPersisted(5);
    expect(() => row.ownPersisted(4)).toThrow("forgot");
  });
});

describe("Inflights", () => {
  test("frees in order, grows, and wraps around", () => {
    const window = new Inflights(100, 1e9);
    for (let i = 1; i <= 40; i++) window.add(i * 10, 5);
    expect([window.count, window.bytes]).toEqual([40, 200]);
    window.freeThrough(205);
    expect([window.count, window.bytes]).toEqual([20, 100]);
    for (let i = 41; i <= 120; i++) window.add(i * 10, 5);
    expect([window.count, window.isFull()]).toEqual([100, true]);
    expect(() => window.add(9999, 1)).toThrow("full window");
    window.freeThrough(0);
    expect(window.count).toBe(100);
    window.freeThrough(1195);
    expect([window.count, window.bytes]).toEqual([1, 5]);
    window.clear();
    expect([window.count, window.bytes, window.isFull()]).toEqual([0, 0, false]);
  });

  test("equals a plain list under random use", () => {
    let state = 5;
    const random = (below: number) => {
      state = (state * 48_271) % 2_147_483_647;
      return state % below;
    };
    const window = new Inflights(37, 500);
    let list: { index: number; bytes: number }[] = [];
    let index = 0;
    for (let step = 0; step < 5000; step++) {
      if (random(3) > 0 && !window.isFull()) {
        index += 1 + random(4);
        const bytes = random(40);
        window.add(index, bytes);
        list.push({ index, bytes });
      } else if (index > 0) {
        const through = index - random(20);
        window.freeThrough(through);
        list = list.filter((each) => each.index > through);
      }
      const bytes = list.reduce((sum, each) => sum + each.bytes, 0);
      expect([window.count, window.bytes]).toEqual([list.length, bytes]);
      expect(window.isFull()).toBe(list.length >= 37 || bytes >= 500);
    }
  });
});

describe("what a leader takes in", () => {
  const text = (bytes: number) => "x".repeat(bytes);

  test("uncommitted proposals are bounded in bytes; one is always let in", () => {
    const one = leader({ uncommittedBytesMax: 100 });
    expect(one.propose(text(500))).toBe(2);
    expect(one.propose(text(1))).toBe("too-many-uncommitted");
    one.settle();
    one.raft.step(accepted({ from: 2, term: 1, index: 2 }));
    one.settle();
    expect(one.propose(text(60))).toBe(3);
    expect(one.propose(text(40))).toBe(4);
    expect(one.propose(text(1))).toBe("too-many-uncommitted");
  });

  test("empty proposals never count, and are never refused for it", () => {
    const one = leader({ uncommittedBytesMax: 10 });
    one.propose(text(10));
    for (let i = 0; i < 10; i++) expect(typeof one.propose("")).toBe("number");
  });

  test("the log of a leader without a majority grows to the bound and no further", () => {
    const cluster = TestCluster.of(3, { uncommittedBytesMax: 1000, checkQuorum: false });
    const one = cluster.elect(1);
    cluster.isolate(1);
    for (let i = 0; i < 500; i++) {
      one.propose(text(10));
      cluster.settle();
    }
    expect(one.status.lastIndex).toBe(101);
    cluster.heal();
    cluster.tickAll(2);
    expect(cluster.at(3).status.commit).toBe(101);
    expect(one.propose(text(1000))).toBe(102);
  });

  test("what an older leader left does not count against the new one", () => {
    const voters = [1, 2, 3];
    const cluster = new TestCluster(
      voters.map((id) => ({ id, voters, terms: [1, 1, 1], uncommittedBytesMax: 10, patience: id })),
    );
    const one = cluster.elect(1);
    expect(one.propose(text(10))).toBe(5);
    expect(one.propose(text(1))).toBe("too-many-uncommitted");
    cluster.settle();
    expect(one.propose(text(10))).toBe(6);
  });

  test("forwarding can be disabled; without a leader there is nobody to forward to", () => {
    const cluster = TestCluster.of(3, { forwardProposals: false });
    expect(cluster.at(2).propose("x")).toBe("no-leader");
    cluster.elect(1);
    expect(cluster.at(2).propose("x")).toBe("forwarding-disabled");
    // Nor is anything passed on for others.
    const proposals = [{ kind: 0, data: new Uint8Array(1) }];
    cluster.at(2).raft.step({ kind: "propose", from: 3n, to: 2n, term: 0, proposals });
    expect(cluster.at(2).settle()).toEqual([]);
  });

  test("forwarded proposals of a turn share a message and keep their order", () => {
    const cluster = TestCluster.of(3);
    cluster.elect(1);
    for (const each of ["a", "b", "c"]) expect(cluster.at(2).propose(each)).toBe("forwarded");
    cluster.trace.length = 0;
    cluster.settle();
    expect(ofKind(cluster.trace, "propose").length).toBe(1);
    expect(cluster.at(1).texts()).toEqual(["", "a", "b", "c"]);
  });
});
