/**
 * What a member does of its own accord, beside its requests: it keeps log and database small, expires leases and
 * compares its data with the others'. Whatever changes state is proposed. Made, started and stopped by the member.
 */
import { AutoCompactor } from "./auto-compactor.ts";
import type { Background } from "./background.ts";
import { Checkpointer } from "./checkpointer.ts";
import { VersionLog } from "./cluster-version.ts";
import { Compactor } from "./compactor.ts";
import { CorruptionChecker } from "./corruption-checker.ts";
import type { DatabaseCommitter } from "./database-committer.ts";
import { LeaseKeeper } from "./lease-keeper.ts";
import { MemberHashes } from "./member-hashes.ts";
import type { MemberOptions } from "./member-options.ts";
import { checkpointPath, type MemberState } from "./member-state.ts";
import type { PeerRequests } from "./peer-requests.ts";
import type { Proposer } from "./proposer.ts";
import type { Reads } from "./reads.ts";
import { Snapshotter } from "./snapshotter.ts";

export interface MemberDutiesParts {
  readonly background: Background;
  readonly committer: DatabaseCommitter;
  readonly proposer: Proposer;
  readonly reads: Reads;
  readonly peerRequests: PeerRequests;
}

export class MemberDuties {
  readonly compactor: Compactor;
  readonly leaseKeeper: LeaseKeeper;
  readonly #snapshotter: Snapshotter;
  readonly #checkpointer: Checkpointer;
  readonly #autoCompactor: AutoCompactor;
  readonly #corruption: CorruptionChecker;
  readonly #versionLog: VersionLog;

  constructor(options: MemberOptions, state: MemberState, parts: MemberDutiesParts) {
    const { clock, logger } = options;
    const { storage, store, lessor, stateMachine, node, instruments } = state;
    const { background, committer, proposer } = parts;
    this.#snapshotter = new Snapshotter({
      ...{ database: storage.database, wal: storage.wal, committer, clock, logger, node },
      entriesPerSnapshot: options.entriesPerSnapshot,
      catchupEntries: options.catchupEntries,
      onDiskFailure: options.onDiskFailure,
    });
    this.compactor = new Compactor({ store, background, committer, clock, logger, instruments });
    this.#checkpointer = new Checkpointer({
      ...{ store, background, committer, clock, logger, disk: options.disk },
      path: checkpointPath(storage),
    });
    this.#autoCompactor = new AutoCompactor({ store, proposer, clock, logger }, options.retention);
    this.leaseKeeper = new LeaseKeeper({
      ...{ lessor, proposer, clock, raft: node, checkpoints: options.leaseCheckpoints },
      appliedIndex: () => stateMachine.appliedIndex(),
      electionTimeoutMs: options.electionTimeoutMs,
    });
    this.#corruption = makeCorruptionChecker(options, state, parts);
    this.#versionLog = new VersionLog(state.membership, logger);
  }

  /** Before the member takes part: `done` gets null, or why it must not. */
  compareFirst(done: (problem: string | null) => void): void {
    this.#corruption.initialCheck(done);
  }

  start(): void {
    this.compactor.wake();
    this.#autoCompactor.start();
    this.#corruption.start();
  }

  noteApplied(): void {
    this.#versionLog.note();
    this.#snapshotter.noteApplied();
    this.#checkpointer.noteApplied();
    this.compactor.wake();
    this.leaseKeeper.wake();
  }

  stop(): void {
    this.#autoCompactor.stop();
    this.#corruption.stop();
    this.leaseKeeper.stop();
  }

  /** After the database's last commit. */
  close(): void {
    this.#checkpointer.stop();
  }
}

function makeCorruptionChecker(
  { clock, logger, transport, corruptionChecks }: MemberOptions,
  { storage, store, membership, alarms, node }: MemberState,
  { background, proposer, reads, peerRequests }: MemberDutiesParts,
): CorruptionChecker {
  const { database, memberId } = storage;
  const hashes = new MemberHashes({
    ...{ store, database, background, transport, clock, memberId, membership, peerRequests },
  });
  return new CorruptionChecker(
    { hashes, store, proposer, reads, clock, logger, memberId, raft: node, alarms },
    corruptionChecks,
  );
}
