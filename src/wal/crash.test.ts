/** Power cuts at every place: what was acknowledged is there, nothing is invented, and a crash never looks like damage. */
import { expect, test } from "bun:test";
import { FaultDisk, PowerCut } from "../../test/disk/fault-disk.ts";
import { SeededRandom } from "../../test/disk/seeded-random.ts";
import { type HardState, type WalEntry, type WalRecovery, WriteAheadLog } from "./index.ts";
import { newestSnapshotMark, recoverLog } from "./recovery.ts";

const DIRECTORY = "/member/wal";
const METADATA = { memberId: 5n, clusterId: 6n };
const SEEDS = Number(process.env.CAIRN_WAL_CRASH_SEEDS ?? 300);

/** Raft's log as it should be after some number of appends. */
interface LogState {
  readonly entries: readonly WalEntry[];
  readonly hardState: HardState;
  readonly marks: number;
}

const describeState = (state: LogState, from: number) =>
  JSON.stringify([
    state.entries
      .slice(from)
      .map((e) => [e.index, e.term, e.kind, Buffer.from(e.data).toString("hex")]),
    [state.hardState.term, String(state.hardState.vote), state.hardState.commit],
  ]);

class Member {
  readonly disk: FaultDisk;
  readonly random: SeededRandom;
  readonly segmentBytes: number;
  readonly withMarks: boolean;
  log: WriteAheadLog | null = null;
  /** states[i] is after append number i; acknowledged is the newest that a `done` covered. */
  states: LogState[] = [{ entries: [], hardState: { term: 0, vote: 0n, commit: 0 }, marks: 0 }];
  acknowledged = 0;
  snapshotIndex = 0;
  term = 1;
  tornTails = 0;
  installs = 0;

  constructor(seed: number) {
    this.random = new SeededRandom(seed);
    this.disk = new FaultDisk();
    this.disk.makeDirectory("/member");
    this.disk.syncDirectory("/");
    this.segmentBytes = 512 + 8 * this.random.below(400);
    this.withMarks = this.random.chance(0.5);
  }

  get options() {
    return { disk: this.disk, directory: DIRECTORY, segmentBytes: this.segmentBytes };
  }

  start(): void {
    if (!this.disk.exists(DIRECTORY)) {
      expect(this.acknowledged).toBe(0);
      this.log = WriteAheadLog.create(this.options, METADATA);
      this.states.length = 1;
      return;
    }
    // A received snapshot that the log names is on disk: it becomes the state before the log is opened.
    const received = newestSnapshotMark(this.disk, DIRECTORY)?.index ?? 0;
    if (received > this.snapshotIndex) {
      this.snapshotIndex = received;
      this.installs++;
    }
    const { log, recovered } = WriteAheadLog.open(this.options, this.snapshotIndex);
    this.log = log;
    this.#checkFromLater(recovered);
    if (recovered.tornTail !== null) this.tornTails++;
    const found = JSON.stringify([
      recovered.entries.map((e) => [e.index, e.term, e.kind, Buffer.from(e.data).toString("hex")]),
      [recovered.hardState.term, String(recovered.hardState.vote), recovered.hardState.commit],
    ]);
    let position = this.states.length - 1;
    while (
      position >= this.acknowledged &&
      describeState(this.states[position]!, this.snapshotIndex) !== found
    ) {
      position--;
    }
    // Equal to a state at or after the newest acknowledged one: nothing lost, nothing invented.
    expect(position).toBeGreaterThanOrEqual(this.acknowledged);
    this.states.length = position + 1;
    this.acknowledged = position; // it was read back from the disk, so it must stay
    expect(log.lastIndex()).toBe(this.states[position]!.entries.length);
    this.#checkFromEarlier(this.states[position]!.entries);
  }

  /** Whoever wants more of the log than what follows the snapshot gets what is there, and the term before it. */
  #checkFromEarlier(entries: readonly WalEntry[]): void {
    const wanted = this.random.below(this.snapshotIndex + 1);
    const { recovered } = recoverLog(this.disk, DIRECTORY, this.snapshotIndex, wanted);
    const { previous } = recovered;
    expect(previous.index).toBeLessThanOrEqual(this.snapshotIndex);
    const before = entries[previous.index - 1];
    expect(previous.term).toBe(before?.term ?? 0);
    expect(recovered.entries).toEqual(entries.slice(previous.index));
  }

  /** Whoever has a later snapshot gets the rest of the same, without reading what is before. */
  #checkFromLater(all: WalRecovery): void {
    const { commit } = all.hardState;
    if (commit <= this.snapshotIndex) return;
    const from = this.snapshotIndex + this.random.below(commit - this.snapshotIndex + 1);
    const { recovered } = recoverLog(this.disk, DIRECTORY, from);
    expect(recovered.entries).toEqual(all.entries.slice(from - this.snapshotIndex));
    expect(recovered.hardState).toEqual(all.hardState);
    expect(recovered.cleanlyClosed).toBe(all.cleanlyClosed);
  }

  append(): void {
    const { random } = this;
    const log = this.log!;
    const last = this.states[this.states.length - 1]!;
    const { commit } = last.hardState;
    const list = last.entries.slice();
    if (random.chance(0.1)) {
      this.term++;
      list.length = commit + random.below(list.length - commit + 1);
    }
    const added: WalEntry[] = [];
    for (let i = random.below(4); i > 0; i--) {
      const bytes = random.chance(0.03) ? 3000 : random.below(random.chance(0.2) ? 700 : 40);
      const index = list.length + 1;
      const fill = random.chance(0.2) ? 0 : index;
      const data = new Uint8Array(bytes).fill(fill);
      const entry = { term: this.term, index, kind: random.below(2), data };
      list.push(entry);
      added.push(entry);
    }
    let { hardState } = last;
    if (random.chance(0.5)) {
      const next = commit + random.below(list.length - commit + 1);
      hardState = { term: this.term, vote: BigInt(random.below(5)), commit: next };
    }
    // A log cannot forget a suffix without writing something in its place.
    if (added.length === 0) list.splice(0, list.length, ...last.entries);
    if (added.length === 0 && hardState.commit > list.length) return;
    log.append(added, hardState === last.hardState ? null : hardState);
    this.states.push({ entries: list, hardState, marks: last.marks });
  }

  flush(): void {
    const position = this.states.length - 1;
    this.log!.flush(() => {
      expect(position).toBeGreaterThanOrEqual(this.acknowledged);
      this.acknowledged = position;
    });
  }

  snapshot(): void {
    const durable = this.states[this.acknowledged]!.hardState.commit;
    if (durable <= this.snapshotIndex) return;
    this.log!.saveSnapshotMark(durable, this.states[this.acknowledged]!.entries[durable - 1]!.term);
    this.snapshotIndex = durable;
    if (this.random.chance(0.7)) this.log!.releaseBefore(durable);
  }

  /** A snapshot comes from the leader: beyond the log, or in the middle of what is not committed. */
  install(): void {
    const { random } = this;
    const last = this.states[this.states.length - 1]!;
    const { commit } = last.hardState;
    const index = commit + 1 + random.below(last.entries.length - commit + 8);
    const term = ++this.term;
    const list: WalEntry[] = [];
    for (let i = 1; i <= index; i++)
      list.push({ term, index: i, kind: 0, data: new Uint8Array(0) });
    const hardState = { term, vote: 0n, commit: index };
    this.log!.replaceBySnapshot(index, term);
    this.log!.append([], hardState);
    const position = this.states.push({ entries: list, hardState, marks: last.marks }) - 1;
    this.log!.flush(() => {
      this.acknowledged = position;
      this.snapshotIndex = index;
      this.installs++;
    });
  }

  act(): void {
    const { random, disk } = this;
    const choice = random.below(20);
    if (choice < 8) this.append();
    else if (choice < 14) this.flush();
    else if (choice < 17) disk.step();
    else if (choice === 17) this.snapshot();
    else if (choice === 18 && this.withMarks) this.log!.markSynced();
    else if (choice === 19 && random.chance(0.2)) this.install();
    else if (choice === 19 && random.chance(0.1)) {
      this.log!.close();
      this.start();
    }
  }
}

function runUntilCut(member: Member, steps: number): void {
  try {
    member.start();
    for (let i = 0; i < steps; i++) member.act();
  } catch (error) {
    if (!(error instanceof PowerCut)) throw error;
  }
}

test("whatever a power cut leaves, acknowledged entries are recovered and nothing is invented", () => {
  let tornTails = 0;
  let installs = 0;
  for (let seed = 1; seed <= SEEDS; seed++) {
    const member = new Member(seed);
    try {
      for (let round = 0; round < 6; round++) {
        member.disk.syncMode = member.random.chance(0.7) ? "step" : "immediate";
        member.disk.crashAfter = member.disk.operationCount + member.random.below(120);
        runUntilCut(member, 150);
        member.disk.crash(seed * 31 + round);
      }
      member.start();
      tornTails += member.tornTails;
      installs += member.installs;
    } catch (error) {
      throw new Error(`seed ${seed}: ${String(error)}`, { cause: error });
    }
  }
  expect(tornTails).toBeGreaterThan(SEEDS / 8); // the test does reach torn batches
  expect(installs).toBeGreaterThan(SEEDS / 4);
});

test("a power cut after each single operation of one fixed run", () => {
  for (const seed of [11, 12, 13]) {
    const whole = new Member(seed);
    runUntilCut(whole, 120);
    const operations = whole.disk.operationCount;
    expect(operations).toBeGreaterThan(60);
    for (let cut = 1; cut <= operations; cut++) {
      for (let left = 0; left < 4; left++) {
        const member = new Member(seed);
        member.disk.crashAfter = cut;
        runUntilCut(member, 120);
        member.disk.crash(cut * 7 + left);
        try {
          member.start();
          member.append();
          member.flush();
          member.log!.close();
          member.start();
        } catch (error) {
          throw new Error(`seed ${seed} cut ${cut} left ${left}: ${String(error)}`, {
            cause: error,
          });
        }
      }
    }
  }
});
