/** Snapshots between members: what is sent, what arrives, and what becomes this member's state. */
import type { SnapshotMessage, SnapshotSink, SnapshotTransfer } from "../peer/index.ts";
import type { SnapshotMark } from "../raft/index.ts";
import type { Background } from "./background.ts";
import type { DatabaseCommitter } from "./database-committer.ts";
import type { MemberOptions } from "./member-options.ts";
import type { MemberState } from "./member-state.ts";
import { StateReplacement } from "./replace-state.ts";
import { SnapshotFiles } from "./snapshot-files.ts";
import { SnapshotReceiver } from "./snapshot-receiver.ts";
import { SnapshotSender } from "./snapshot-sender.ts";

export interface SnapshotTrafficParts {
  readonly options: MemberOptions;
  readonly state: MemberState;
  readonly committer: DatabaseCommitter;
  readonly background: Background;
  /** There may be something to do for the loop. */
  readonly wake: () => void;
}

const WAL_SEGMENT_BYTES = 64_000_000;
/** The log goes on while a snapshot arrives: its next segment must find room. */
const RESERVED_SEGMENTS = 1;

export class SnapshotTraffic {
  readonly #sender: SnapshotSender;
  readonly #receiver: SnapshotReceiver;
  readonly #replacement: StateReplacement;

  constructor({ options, state, committer, background, wake }: SnapshotTrafficParts) {
    const { clock, logger, transport, random, disk, pageCacheBytes, onDiskFailure } = options;
    const { storage, node, store, lessor, membership, alarms, stateMachine, hub } = state;
    const { database, databasePath, snapshotDirectory } = storage;
    const files = new SnapshotFiles(disk, snapshotDirectory);
    this.#sender = new SnapshotSender({
      ...{ database, transport, clock },
      commit: (done) => committer.commit(done),
      report: (member, arrived) => {
        node.raft.reportSnapshot(member, arrived);
        wake();
      },
    });
    this.#receiver = new SnapshotReceiver({
      ...{ files, background, clock, logger },
      reservedBytes: RESERVED_SEGMENTS * (options.walSegmentBytes ?? WAL_SEGMENT_BYTES),
      commitIndex: () => node.commit(),
      deliver: (message) => {
        node.raft.step(message);
        wake();
        return node.raft.pendingSnapshotIndex === message.snapshot.index;
      },
    });
    this.#replacement = new StateReplacement({
      ...{ files, databasePath, pageCacheBytes, background, clock, logger, onDiskFailure },
      ...{ database, store, lessor, membership, alarms, stateMachine, hub },
      hashSeed: () => random.uint32(),
    });
  }

  /** Raft wants a member to get this member's state. */
  send(message: SnapshotMessage): void {
    this.#sender.send(message);
  }

  /** What follows this index of the log has to stay for those who are being sent a snapshot; Infinity for none. */
  neededAfter(): number {
    return this.#sender.neededAfter();
  }

  begin(transfer: SnapshotTransfer): SnapshotSink | null {
    return this.#receiver.begin(transfer);
  }

  /** The log names the received snapshot durably; `done` comes when it is the state. */
  install(mark: SnapshotMark, done: () => void): void {
    this.#replacement.install(mark, done);
  }

  stop(): void {
    this.#sender.stop();
    this.#receiver.stop();
    this.#replacement.stop();
  }
}
