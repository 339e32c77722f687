// Nothing is applied or answered before it is on disk (incident 2); what arrives together shares one write and sync.
import { expect, test } from "bun:test";
import { SimClock } from "../../test/simulation/sim-clock.ts";
import { ENTRY_COMMAND, type Entry, type HardState, SingleVoter } from "../raft/index.ts";
import type { LogEntry, ReplySink, StateMachine } from "../state-machine/index.ts";
import type { WriteAheadLog } from "../wal/index.ts";
import { RaftLoop } from "./raft-loop.ts";
import { pass } from "./testing/stand-ins.ts";

/** Holds back every sync until the test lets it end. */
class HeldLog {
  readonly batches: number[][] = [];
  readonly hardStates: HardState[] = [];
  #appended: number[] = [];
  #inFlight: (() => void)[] = [];
  #waiting: (() => void)[] = [];

  append(entries: readonly Entry[], hardState: HardState | null): void {
    this.#appended.push(...entries.map((entry) => entry.index));
    if (hardState !== null) this.hardStates.push(hardState);
  }

  flush(done: () => void): void {
    if (this.#appended.length > 0) {
      this.#waiting.push(done);
      if (!this.isSyncing) this.#write();
    } else if (this.isSyncing) this.#inFlight.push(done);
    else done();
  }

  #write(): void {
    this.batches.push(this.#appended);
    this.#appended = [];
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

function setup(entries: readonly Entry[] = [], workMs = 0) {
  let workedMs = 0;
  class WorkClock extends SimClock {
    override monotonicMs(): number {
      return super.monotonicMs() + workedMs;
    }
  }
  const clock = new WorkClock();
  const wal = new HeldLog();
  const applied: number[] = [];
  const replies: number[] = [];
  const slices: number[] = [];
  const log = new SingleVoter({
    memberId: 7n,
    hardState: { term: 1, vote: 7n, commit: 0 },
    entries,
    appliedIndex: 0,
  });
  const stateMachine = {
    apply(entry: LogEntry, _nowMs: number, sink: ReplySink) {
      workedMs += workMs;
      applied.push(entry.index);
      sink(entry.index, 1, {});
    },
  } as unknown as StateMachine;
  const loop = new RaftLoop({
    clock,
    log,
    wal: wal as unknown as WriteAheadLog,
    stateMachine,
    reply: (requestId) => replies.push(requestId),
    observeApply: () => {},
    onApplied: () => slices.push(applied.length),
  });
  const turn = () => clock.runNext(clock.monotonicMs());
  return { clock, wal, log, loop, applied, replies, slices, turn };
}

const DATA = new Uint8Array(10);

/** With the first entry of the term applied. */
function leading(workMs = 0) {
  const world = setup([], workMs);
  world.log.campaign();
  world.loop.wake();
  world.turn();
  world.wal.sync();
  while (world.wal.isSyncing) world.wal.sync();
  expect(world.applied).toEqual([1]);
  return world;
}

test("RaftLoop takes no proposal without a leader", () => {
  const { loop } = setup();
  expect(loop.propose(ENTRY_COMMAND, DATA)).toBe(false);
  expect(loop.unappliedBytes()).toBe(0);
});

test("RaftLoop writes term and vote before anything is applied", () => {
  const { wal, applied } = leading();
  expect(wal.hardStates).toEqual([{ term: 2, vote: 7n, commit: 0 }]);
  expect(applied).toEqual([1]);
});

test("RaftLoop gathers what is proposed in one turn into one batch, applied only when it is synced", () => {
  const { wal, loop, applied, replies, turn } = leading();
  for (let i = 0; i < 5; i++) expect(loop.propose(ENTRY_COMMAND, DATA)).toBe(true);
  expect(wal.batches).toEqual([[1]]);
  expect(loop.unappliedBytes()).toBe(50);
  turn();
  expect(wal.batches).toEqual([[1], [2, 3, 4, 5, 6]]);
  expect(applied).toEqual([1]);
  expect(replies).toEqual([1]);
  wal.sync();
  expect(applied).toEqual([1, 2, 3, 4, 5, 6]);
  expect(replies).toEqual(applied);
  expect(loop.unappliedBytes()).toBe(0);
});

test("RaftLoop: what arrives while a sync is in flight shares the next one, in order", () => {
  const { wal, loop, applied, turn } = leading();
  loop.propose(ENTRY_COMMAND, DATA);
  turn();
  loop.propose(ENTRY_COMMAND, DATA);
  turn();
  loop.propose(ENTRY_COMMAND, DATA);
  turn();
  expect(wal.batches).toEqual([[1], [2]]);
  wal.sync();
  expect(applied).toEqual([1, 2]);
  expect(wal.batches).toEqual([[1], [2], [3, 4]]);
  wal.sync();
  expect(applied).toEqual([1, 2, 3, 4]);
});

test("RaftLoop applies recovered entries after its own first entry is synced", () => {
  const entries = [1, 2, 3].map((index) => ({ term: 1, index, kind: 0, data: DATA }));
  const { wal, log, loop, applied, turn } = setup(entries);
  log.campaign();
  loop.wake();
  turn();
  expect(applied).toEqual([]);
  wal.sync();
  expect(applied).toEqual([1, 2, 3, 4]);
  expect(loop.unappliedBytes()).toBe(0);
});

test("RaftLoop applies a flood in slices, and lets others in between", () => {
  const { wal, loop, applied, slices, turn } = leading(0.1);
  for (let i = 0; i < 1000; i++) loop.propose(ENTRY_COMMAND, DATA);
  turn();
  wal.sync();
  // 64 entries of 0.1 ms are more than the two milliseconds of a slice.
  expect(applied.length).toBe(1 + 64);
  while (applied.length < 1001) expect(turn()).toBe(true);
  expect(applied).toEqual(Array.from({ length: 1001 }, (_, i) => i + 1));
  const largest = slices.map((count, i) => count - (slices[i - 1] ?? 0));
  expect(Math.max(...largest)).toBeLessThanOrEqual(64);
});

test("RaftLoop applies and answers nothing after a stop", () => {
  const { clock, wal, loop, applied, replies, turn } = leading();
  loop.propose(ENTRY_COMMAND, DATA);
  turn();
  loop.stop();
  wal.sync();
  loop.propose(ENTRY_COMMAND, DATA);
  pass(clock, 1000);
  expect(applied).toEqual([1]);
  expect(replies).toEqual([1]);
});
