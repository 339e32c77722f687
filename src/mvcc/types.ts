/** The shapes that mvcc, its watch hub and the state machine share. */

/** One change of one key. */
export interface ChangeEvent {
  /** 0 put, 1 delete (etcd's Event.EventType). */
  readonly type: number;
  /** Revision of the transaction that made the change. */
  readonly revision: number;
  /** Position inside that revision, from 0. */
  readonly sub: number;
  readonly key: Uint8Array;
  /**
   * The encoded KeyValue that clients get: the full record for a put, key and mod_revision for a
   * delete. Immutable, shared by all watchers.
   */
  readonly kv: Uint8Array;
  /** Whether the put created the key (version 1). False for deletes. */
  readonly created: boolean;
}

/** Everything one committed transaction changed, in order of sub. Never empty. */
export interface ChangeBatch {
  readonly revision: number;
  readonly events: readonly ChangeEvent[];
}

/** Why a read at a revision is impossible. */
export type RevisionProblem = "compacted" | "future";

export interface RangeOptions {
  /** The revision to read at; 0 or less for the newest. */
  readonly revision: number;
  /** At most so many records; 0 or less for all. `count` is not affected. */
  readonly limit: number;
  /** Only count; no records are read. */
  readonly countOnly: boolean;
  /** Records come without value and lease, made from the index alone. */
  readonly keysOnly: boolean;
}

export interface RangeResult {
  /** Encoded KeyValue records in key order; views of immutable memory. */
  readonly kvs: Uint8Array[];
  /** All keys of the range at that revision, beyond any limit. */
  readonly count: number;
}

/** What the watch hub needs of the store. */
export interface ChangeSource {
  /** The newest revision; 1 in an empty store. */
  revision(): number;
  /** -1 before the first compaction. */
  compactRevision(): number;
  /**
   * Whole revisions from `fromRevision` on in ascending order, at most `revisionsMax` of them and
   * stopping early once `bytesMax` is passed; `nextRevision` is where the next call goes on
   * (revision() + 1 when all was read). Answers "compacted" when fromRevision < compactRevision().
   */
  readChanges(
    fromRevision: number,
    revisionsMax: number,
    bytesMax: number,
  ): { batches: ChangeBatch[]; nextRevision: number } | "compacted";
  /**
   * The encoded record of a key as of a revision, or undefined (absent, deleted or compacted away).
   */
  recordAt(key: Uint8Array, revision: number): Uint8Array | undefined;
}
