/**
 * Bounds the write-ahead log: after so many applied entries the database is committed, its applied index is marked
 * in the log, and segments behind the catch-up distance are removed. The database itself is the snapshot.
 */
import type { Database } from "../database/index.ts";
import { type Clock, DiskError, type Logger } from "../io/index.ts";
import type { WriteAheadLog } from "../wal/index.ts";
import type { DatabaseCommitter } from "./database-committer.ts";
import type { RaftNode } from "./raft-node.ts";

export interface SnapshotterParts {
  readonly database: Database;
  readonly committer: DatabaseCommitter;
  readonly wal: WriteAheadLog;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly node: RaftNode;
  readonly entriesPerSnapshot: number;
  readonly catchupEntries: number;
  readonly onDiskFailure: (error: DiskError) => void;
}

/** Under a flood of writes marks come at most this often; the log grows by what is written meanwhile. */
const INTERVAL_MS_MIN = 1000;

export class Snapshotter {
  readonly #parts: SnapshotterParts;
  #markedIndex: number;
  #markedMs = -Infinity;
  #busy = false;

  constructor(parts: SnapshotterParts) {
    this.#parts = parts;
    this.#markedIndex = parts.database.consistentIndex();
  }

  /** Called after entries were applied. */
  noteApplied(): void {
    const { node, entriesPerSnapshot, clock, committer, database } = this.#parts;
    if (this.#busy || node.appliedIndex() - this.#markedIndex < entriesPerSnapshot) return;
    if (clock.monotonicMs() - this.#markedMs < INTERVAL_MS_MIN) return;
    this.#busy = true;
    const index = database.consistentIndex();
    const term = database.consistentTerm();
    committer.commit(() => this.#mark(index, term));
  }

  #mark(index: number, term: number): void {
    const { wal, logger, catchupEntries, clock } = this.#parts;
    this.#busy = false;
    this.#markedIndex = index;
    this.#markedMs = clock.monotonicMs();
    let removed: string[];
    try {
      wal.saveSnapshotMark(index, term);
      removed = wal.releaseBefore(Math.max(0, index - catchupEntries));
    } catch (error) {
      if (!(error instanceof DiskError)) throw error;
      this.#parts.onDiskFailure(error);
      return;
    }
    logger.info("saved snapshot", { "snapshot-index": index });
    if (removed.length > 0) logger.info("purged", { files: removed });
  }
}
