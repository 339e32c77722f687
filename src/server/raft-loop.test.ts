// Nothing is applied or answered before it is on disk (incident 2); what arrives together shares one write and sync.
import { expect, test } from "bun:test";
import { SimClock } from "../../test/simulation/sim-clock.ts";
import { errTimeout } from "../api/index.ts";
import { silentLogger } from "../io/index.ts";
import { NoPeers } from "../peer/index.ts";
import {
  ENTRY_COMMAND,
  type Entry,
  type HardState,
  type Message,
  type SnapshotMark,
} from "../raft/index.ts";
import type { WriteAheadLog } from "../wal/index.ts";
import { LeaseTrust } from "./lease-trust.ts";
import { RaftLoop } from "./raft-loop.ts";
import { Reads } from "./reads.ts";
import { pass } from "./testing/stand-ins.ts";
import { newTestNode, SELF } from "./testing/test-node.ts";

/** Holds back every sync until the test lets it end. */
class HeldLog {
  readonly batches: number[][] = [];
  readonly hardStates: HardState[] = [];
  readonly marks: number[] = [];
  #appended: number[] = [];
  /** A hard state waits, too. */
  #dirty = false;
  #inFlight: (() => void)[] = [];
  #waiting: (() => void)[] = [];

  append(entries: readonly Entry[], hardState: HardState | null): void {
    this.#appended.push(...entries.map((entry) => entry.index));
    if (hardState === null) return;
    this.hardStates.push(hardState);
    this.#dirty = true;
  }

  replaceBySnapshot(index: number): void {
    this.marks.push(index);
    this.#appended.push(-index);
  }

  flush(done: () => void): void {
    if (this.#appended.length > 0 || this.#dirty) {
      this.#waiting.push(done);
      if (!this.isSyncing) this.#write();
    } else if (this.isSyncing) this.#inFlight.push(done);
    else done();
  }

  #write(): void {
    this.batches.push(this.#appended);
    this.#appended = [];
    this.#dirty = false;
    this.#inFlight = this.#waiting;
    this.#waiting = [];
  }

  get isSyncing(): boolean {
    return this.#inFlight.length > 0;
  }

  /** The disk is done with the batch in flight. */
  sync(): void {
    const done = this.#inFlight;
    this.#inFlight = [];
    if (this.#waiting.length > 0) this.#write();
    for (const each of done) each();
  }
}

const OTHER = 8n;
const THIRD = 9n;

class RecordingPeers extends NoPeers {
  readonly sent: Message[] = [];
  readonly away = new Set<bigint>();

  override activeSinceMs(member = 0n): number {
    return this.away.has(member) ? Number.NaN : 0;
  }

  override send(messages: readonly Message[] = []): void {
    this.sent.push(...messages);
  }
}

interface Setup {
  readonly entries?: readonly Entry[];
  readonly workMs?: number;
  readonly voters?: bigint[];
  readonly readMode?: "safe" | "lease";
}

function setup({ entries = [], workMs = 0, voters = [SELF], readMode = "safe" }: Setup = {}) {
  let workedMs = 0;
  class WorkClock extends SimClock {
    override monotonicMs(): number {
      return super.monotonicMs() + workedMs;
    }
  }
  const clock = new WorkClock();
  const wal = new HeldLog();
  const applied: number[] = [];
  const slices: number[] = [];
  const installs: { mark: SnapshotMark; done: () => void }[] = [];
  const snapshotsSent: bigint[] = [];
  const node = newTestNode(clock, { entries, voters, readMode });
  const transport = new RecordingPeers();
  const wake = () => loop.wake();
  const timeoutError = () => errTimeout;
  const trust = { node, transport, clock, logger: silentLogger, patienceMs: 1000 };
  const reads = new Reads({ node, clock, timeoutMs: 7000, wake, catchUp: null, timeoutError });
  const loop: RaftLoop = new RaftLoop({
    ...{ clock, node, transport, reads },
    wal: wal as unknown as WriteAheadLog,
    tickIntervalMs: 100,
    leaseTrust: readMode === "lease" ? new LeaseTrust(trust) : null,
    proposalTimeoutMs: 7000,
    apply: (entry) => {
      workedMs += workMs;
      applied.push(entry.index);
    },
    onTick: () => {},
    onApplied: () => slices.push(applied.length),
    sendSnapshot: (message) => snapshotsSent.push(message.to),
    installSnapshot: (mark, done) => installs.push({ mark, done }),
  });
  const turn = () => clock.runNext(clock.monotonicMs());
  const settle = () => {
    while (turn() || wal.isSyncing) if (wal.isSyncing) wal.sync();
  };
  const receive = (...messages: Message[]) => loop.receive(messages);
  const parts = { clock, wal, node, loop, reads, transport, applied, slices, installs };
  return { ...parts, snapshotsSent, turn, settle, receive };
}

const DATA = new Uint8Array(10);

/** With the first entry of the term applied. */
function leading(workMs = 0) {
  const world = setup({ workMs });
  world.node.raft.campaign();
  world.loop.start();
  world.settle();
  expect(world.applied).toEqual([1]);
  world.wal.batches.length = 0;
  return world;
}

/** A follower of OTHER in term 2. */
function following(readMode: "safe" | "lease" = "safe") {
  const world = setup({ voters: [SELF, OTHER, THIRD], readMode });
  world.loop.start();
  const header = { from: OTHER, to: SELF, term: 2 } as const;
  world.receive({ kind: "heartbeat", ...header, commit: 0, readRound: 0, tick: 1 });
  world.settle();
  world.transport.sent.length = 0;
  world.wal.batches.length = 0;
  return { ...world, header };
}

test("RaftLoop writes term and vote before anything is applied", () => {
  const { node, loop, wal, applied, turn, settle } = setup();
  node.raft.campaign();
  loop.start();
  turn();
  expect(wal.hardStates).toEqual([{ term: 2, vote: SELF, commit: 0 }]);
  expect(applied).toEqual([]);
  settle();
  expect(applied).toEqual([1]);
});

test("RaftLoop gathers what is proposed in one turn into one batch, applied only when it is synced", () => {
  const { wal, loop, applied, turn } = leading();
  for (let i = 0; i < 5; i++) expect(loop.propose(ENTRY_COMMAND, DATA)).toBeNull();
  expect(wal.batches).toEqual([]);
  expect(loop.pendingBytes()).toBe(50);
  turn();
  expect(wal.batches).toEqual([[2, 3, 4, 5, 6]]);
  expect(applied).toEqual([1]);
  wal.sync();
  expect(applied).toEqual([1, 2, 3, 4, 5, 6]);
  expect(loop.pendingBytes()).toBe(0);
});

test("RaftLoop: what arrives while a sync is in flight shares the next one, in order", () => {
  const { wal, loop, applied, turn } = leading();
  for (let i = 0; i < 3; i++) {
    loop.propose(ENTRY_COMMAND, DATA);
    turn();
  }
  expect(wal.batches).toEqual([[2]]);
  wal.sync();
  expect(applied).toEqual([1, 2]);
  expect(wal.batches).toEqual([[2], [3, 4]]);
  wal.sync();
  expect(applied).toEqual([1, 2, 3, 4]);
});

test("RaftLoop applies recovered entries after its own first entry is synced", () => {
  const entries = [1, 2, 3].map((index) => ({ term: 1, index, kind: 0, data: DATA }));
  const { node, loop, applied, turn, settle } = setup({ entries });
  node.raft.campaign();
  loop.start();
  turn();
  expect(applied).toEqual([]);
  settle();
  expect(applied).toEqual([1, 2, 3, 4]);
});

test("RaftLoop applies a flood in slices, and lets others in between", () => {
  const { wal, loop, applied, slices, turn } = leading(0.1);
  for (let i = 0; i < 1000; i++) loop.propose(ENTRY_COMMAND, DATA);
  turn();
  wal.sync();
  // 64 entries of 0.1 ms are more than the two milliseconds of a slice.
  expect(applied.length).toBe(1 + 64);
  while (applied.length < 1001) expect(turn() || wal.isSyncing).toBe(true);
  expect(applied).toEqual(Array.from({ length: 1001 }, (_, i) => i + 1));
  const largest = slices.map((count, i) => count - (slices[i - 1] ?? 0));
  expect(Math.max(...largest)).toBeLessThanOrEqual(64);
});

test("RaftLoop applies and answers nothing after a stop", () => {
  const { clock, wal, loop, applied, turn } = leading();
  loop.propose(ENTRY_COMMAND, DATA);
  turn();
  loop.stop();
  wal.sync();
  pass(clock, 1000);
  expect(applied).toEqual([1]);
});

test("RaftLoop holds what is proposed without a leader, and proposes it once there is one", () => {
  const { node, loop, applied, turn, settle } = setup();
  loop.start();
  expect(loop.propose(ENTRY_COMMAND, DATA)).toBeNull();
  turn();
  expect(node.raft.lastIndex).toBe(0);
  expect(loop.proposeAsLeader(ENTRY_COMMAND, DATA)).toBe(false);
  node.raft.campaign();
  node.onLeadership(() => loop.wake());
  loop.wake();
  settle();
  expect(applied).toEqual([1, 2]);
});

test("RaftLoop sends before its own disk is done, and answers an append only after it", () => {
  const { receive, turn, wal, transport, header } = following();
  const entry = { term: 2, index: 1, kind: ENTRY_COMMAND, data: DATA };
  const append = { previousIndex: 0, previousTerm: 0, commit: 0, entries: [entry] };
  receive(
    { kind: "append", ...header, ...append },
    { kind: "heartbeat", ...header, commit: 0, readRound: 1, tick: 2 },
  );
  turn();
  expect(transport.sent.map(({ kind }) => kind)).toEqual(["heartbeat-response"]);
  wal.sync();
  expect(transport.sent.map(({ kind }) => kind)).toEqual(["heartbeat-response", "append-accepted"]);
});

test("RaftLoop reports a snapshot as persisted only when it is the state, and nothing after it before", () => {
  const { receive, turn, wal, transport, installs, header, node, settle } = following();
  const configuration = { voters: [SELF, OTHER, THIRD], learners: [] };
  receive({ kind: "snapshot", ...header, snapshot: { index: 50, term: 2, configuration } });
  turn();
  expect(wal.marks).toEqual([50]);
  expect(installs).toEqual([]);
  wal.sync();
  expect(installs.map(({ mark }) => mark.index)).toEqual([50]);
  const entry = { term: 2, index: 51, kind: ENTRY_COMMAND, data: DATA };
  receive({
    kind: "append",
    ...header,
    previousIndex: 50,
    previousTerm: 2,
    commit: 51,
    entries: [entry],
  });
  settle();
  expect(transport.sent).toEqual([]);
  node.installed(50);
  installs[0]!.done();
  settle();
  expect(transport.sent.filter(({ kind }) => kind === "append-accepted")).not.toEqual([]);
  expect(node.appliedIndex()).toBe(51);
});

test("RaftLoop: in lease mode a follower's promise is not shortened by ticks that came late", () => {
  const { receive, settle, clock, transport, header, node } = following("lease");
  clock.stand(950);
  receive({ kind: "heartbeat", ...header, commit: 0, readRound: 0, tick: 2 });
  settle();
  expect(transport.sent.map(({ kind }) => kind)).toEqual(["heartbeat-response"]);
  pass(clock, 600);
  settle();
  const log = { lastIndex: 9, lastTerm: 2, commit: 0, commitTerm: 0 };
  receive({ kind: "vote", from: THIRD, to: SELF, term: 3, transfer: false, ...log });
  settle();
  // The leader reads by what was answered until seven ticks after it was asked.
  expect(node.raft.term).toBe(2);
  expect(node.raft.leader).toBe(OTHER);
});

test("RaftLoop: a follower with more to forward than fits a turn keeps the rest, and its time", () => {
  const { loop, receive, transport, settle, turn } = setup({ voters: [SELF, OTHER, THIRD] });
  loop.start();
  const large = new Uint8Array(3 << 20);
  for (let i = 0; i < 5; i++) expect(loop.propose(ENTRY_COMMAND, large)).toBeNull();
  turn();
  expect(transport.sent).toEqual([]);
  receive({
    kind: "heartbeat",
    ...{ from: OTHER, to: SELF, term: 2, commit: 0, readRound: 0, tick: 1 },
  });
  settle();
  for (let i = 0; i < 4; i++) expect(loop.propose(ENTRY_COMMAND, large)).toBeNull();
  settle();
  const forwarded = transport.sent.flatMap((message) =>
    message.kind === "propose" ? message.proposals : [],
  );
  expect(forwarded.length).toBe(9);
});

test("RaftLoop: a follower holds what its leader cannot be sent, and sends it to the next one", () => {
  const { loop, settle, transport, receive, header, clock } = following();
  const forwarded = () =>
    transport.sent.filter(({ kind }) => kind === "propose").map(({ to }) => to);
  loop.propose(ENTRY_COMMAND, DATA);
  settle();
  expect(forwarded()).toEqual([OTHER]);
  transport.away.add(OTHER);
  expect(loop.propose(ENTRY_COMMAND, DATA)).toBeNull();
  settle();
  pass(clock, 200);
  expect(forwarded()).toEqual([OTHER]);
  receive({ kind: "heartbeat", ...header, from: THIRD, term: 3, commit: 0, readRound: 0, tick: 1 });
  settle();
  expect(forwarded()).toEqual([OTHER, THIRD]);
});
