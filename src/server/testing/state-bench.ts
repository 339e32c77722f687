/**
 * A member's state on a disk of its own, without raft: the test applies entries, receives snapshots and installs them
 * as the loop does. For tests of what replaces a state.
 */
import type { FaultDisk } from "../../../test/disk/fault-disk.ts";
import { SimClock } from "../../../test/simulation/sim-clock.ts";
import { utf8Text } from "../../base/bytes.ts";
import type { SnapshotMessage, SnapshotSource, SnapshotTransfer } from "../../peer/index.ts";
import type { SnapshotMark } from "../../raft/index.ts";
import type { LogEntry } from "../../state-machine/index.ts";
import type { HardState } from "../../wal/index.ts";
import { Background } from "../background.ts";
import { type MemberState, openState } from "../member-state.ts";
import { StateReplacement } from "../replace-state.ts";
import { SnapshotFiles } from "../snapshot-files.ts";
import { SnapshotReceiver } from "../snapshot-receiver.ts";
import { SnapshotSender } from "../snapshot-sender.ts";
import { testMemberOptions } from "./stand-ins.ts";

const NOTHING = (): void => {};
const EVERYTHING = new Uint8Array([0]);
const CHUNK_BYTES = 5000;
const RESERVED_BYTES = 1 << 20;
/** Voted for in the term that a snapshot comes in: must never be forgotten. */
export const VOTE = 9n;

export interface SentSnapshot {
  readonly message: SnapshotMessage;
  readonly bytes: Uint8Array;
}

export class StateBench {
  readonly disk: FaultDisk;
  readonly clock = new SimClock();
  readonly background = new Background(this.clock);
  readonly state: MemberState;
  readonly files: SnapshotFiles;
  readonly receiver: SnapshotReceiver;
  readonly replacement: StateReplacement;
  hardState: HardState;
  /** The log holds the state up to here, durably. */
  durableIndex = 0;
  /** What raft is told; whether it takes it. */
  deliver: (message: SnapshotMessage) => boolean = () => true;

  constructor(disk: FaultDisk) {
    this.disk = disk;
    const options = testMemberOptions(disk, this.clock, { pageCacheBytes: 1 << 16 });
    const { clock, background } = this;
    const state = openState(options);
    this.state = state;
    this.hardState = state.storage.hardState;
    this.state.storage.database.commitInPieces((fire) => clock.soon(fire));
    this.files = new SnapshotFiles(disk, state.storage.snapshotDirectory);
    const { files } = this;
    const { logger, pageCacheBytes, onDiskFailure } = options;
    this.receiver = new SnapshotReceiver({
      ...{ files, background, clock, logger, reservedBytes: RESERVED_BYTES },
      commitIndex: () => this.hardState.commit,
      deliver: (message) => this.deliver(message),
    });
    this.replacement = new StateReplacement({
      ...{ ...state, ...state.storage, files, background, clock, logger },
      ...{ pageCacheBytes, onDiskFailure, hashSeed: () => 5 },
    });
    // What the log has and the state has not, as raft would hand it out.
    for (const entry of state.storage.entries) {
      if (entry.index <= this.hardState.commit) this.apply(entry);
    }
  }

  /** Applies an entry that is committed; the log gets it when it has not. */
  apply(entry: LogEntry): void {
    const { wal } = this.state.storage;
    if (entry.index > wal.lastIndex()) {
      const term = Math.max(entry.term, this.hardState.term);
      this.hardState = { ...this.hardState, term, commit: entry.index };
      wal.append([entry], this.hardState);
      wal.flush(() => {
        this.durableIndex = Math.max(this.durableIndex, entry.index);
      });
    }
    this.state.stateMachine.apply(entry, this.clock.monotonicMs(), NOTHING, NOTHING);
  }

  /** Runs what is due and completes syncs, until nothing is left. */
  settle(): void {
    while (this.clock.runNext(this.clock.monotonicMs()) || this.disk.step());
  }

  commit(): void {
    this.state.storage.database.commit();
    this.settle();
  }

  /** The database as another member is sent it. */
  send(to = 2n): SentSnapshot {
    let sent: SentSnapshot | null = null;
    const { database } = this.state.storage;
    const sender = new SnapshotSender({
      ...{ database, clock: this.clock },
      commit: (done) => database.commit(done),
      transport: {
        sendSnapshot: (message, source, done) => {
          sent = { message, bytes: readAll(source) };
          done(true);
        },
      },
      report: NOTHING,
    });
    const configuration = { voters: [], learners: [] };
    const snapshot = { index: 1, term: 1, configuration };
    const { term } = this.hardState;
    sender.send({ kind: "snapshot", from: 1n, to, term, snapshot });
    this.settle();
    return sent!;
  }

  /** Receives a snapshot in chunks; whether it was accepted, or null while that is not known. */
  receive({ message, bytes }: SentSnapshot, id = "1"): { accepted: boolean | null } {
    const answer: { accepted: boolean | null } = { accepted: null };
    const transfer: SnapshotTransfer = { id, message, sizeBytes: bytes.length };
    const sink = this.receiver.begin(transfer);
    if (sink === null) return { accepted: false };
    for (let at = sink.receivedBytes; at < bytes.length; at += CHUNK_BYTES) {
      sink.write(bytes.subarray(at, at + CHUNK_BYTES));
    }
    sink.finish((accepted) => {
      answer.accepted = accepted;
    });
    return answer;
  }

  /** What the loop does with a Ready that has a snapshot. */
  install(mark: SnapshotMark, done: () => void): void {
    const { wal } = this.state.storage;
    this.hardState = { term: mark.term + 1, vote: VOTE, commit: mark.index };
    wal.replaceBySnapshot(mark.index, mark.term);
    wal.append([], this.hardState);
    wal.flush(() => {
      this.durableIndex = mark.index;
      this.replacement.install(mark, done);
    });
  }

  /** Everything that clients and other members can see of the state. */
  view(): unknown {
    const { store, lessor, membership, alarms, stateMachine } = this.state;
    const history: unknown[] = [];
    for (let at = Math.max(store.compactRevision(), 1); at <= store.revision(); at++) {
      const options = { revision: at, limit: 0, countOnly: false, keysOnly: false };
      const found = store.range(EVERYTHING, EVERYTHING, options);
      history.push(typeof found === "string" ? found : [found.count, ...found.kvs.map(textOf)]);
    }
    const leases = lessor
      .byExpiry()
      .map(({ id, ttlSeconds, remainingTtlSeconds, expiryMs }) => [
        ...[String(id), ttlSeconds, remainingTtlSeconds, expiryMs],
        lessor.sortedKeys(id).map(textOf),
      ]);
    return {
      applied: [stateMachine.appliedIndex(), stateMachine.appliedTerm()],
      revisions: [store.revision(), store.compactRevision(), store.keyCount()],
      history,
      leases: leases.sort(),
      members: membership.members().map((member) => JSON.stringify(member, bigintText)),
      removed: membership.removedIds().map(String).sort(),
      version: membership.clusterVersion(),
      alarms: alarms.list().map(({ memberId, type }) => `${memberId} ${type}`),
    };
  }
}

export function readAll(source: SnapshotSource): Uint8Array {
  const bytes = new Uint8Array(source.sizeBytes);
  for (let at = 0; at < bytes.length; at += 4096) {
    source.read(at, bytes.subarray(at, Math.min(at + 4096, bytes.length)));
  }
  source.close();
  return bytes;
}

function textOf(bytes: Uint8Array): string {
  return utf8Text(bytes);
}

function bigintText(_key: string, value: unknown): unknown {
  return typeof value === "bigint" ? String(value) : value;
}
