/**
 * Rebuilds raft's state from records in the order they were written. An entry replaces whatever stood at its
 * index and after it (raft: a conflicting suffix is overwritten). Used by recovery and by the read-only check.
 */
import { assert } from "../base/assert.ts";
import {
  type EntryPayload,
  type RecordView,
  readArrayPayload,
  readEntryPayload,
} from "./batch-body.ts";
import {
  FORMAT_VERSION,
  KIND_ENTRY,
  KIND_HARD_STATE,
  KIND_METADATA,
  KIND_SEGMENT_START,
  KIND_SNAPSHOT_MARK,
} from "./format.ts";
import {
  EMPTY_HARD_STATE,
  type HardState,
  type SnapshotMark,
  type WalEntry,
  type WalMetadata,
} from "./types.ts";

export class Replay {
  /** Entries after this index are wanted. */
  readonly fromSnapshotIndex: number;
  /** What the owner has: the entries must continue from there or from before. */
  readonly appliedIndex: number;
  metadata: WalMetadata | null = null;
  hardState: HardState = EMPTY_HARD_STATE;
  /** Entries after `previous`, without a gap. */
  readonly entries: WalEntry[] = [];
  readonly snapshotMarks: SnapshotMark[] = [];
  lastIndex = 0;
  lastTerm = 0;
  /** Size to which the newest segment was preallocated. */
  segmentBytes = 0;
  /** Where the entries begin: fromSnapshotIndex, or a received snapshot newer than that. */
  #previousIndex: number;
  /** Term of the entry there, -1 while unknown. */
  #previousTerm: number;
  #started = false;
  readonly #payload: EntryPayload = { kind: 0, dataStart: 0 };

  constructor(fromSnapshotIndex: number, appliedIndex: number = fromSnapshotIndex) {
    this.fromSnapshotIndex = fromSnapshotIndex;
    this.appliedIndex = appliedIndex;
    this.#previousIndex = fromSnapshotIndex;
    this.#previousTerm = fromSnapshotIndex === 0 ? 0 : -1;
  }

  /** What stands right before the first of the entries. Its term is -1 where the log does not tell. */
  get previous(): SnapshotMark {
    return { index: this.#previousIndex, term: this.#previousTerm };
  }

  readonly sink = (bytes: Uint8Array, record: RecordView): string | null => {
    switch (record.kind) {
      case KIND_ENTRY:
        return this.#entry(bytes, record);
      case KIND_HARD_STATE:
        return this.#hardState(bytes, record);
      case KIND_SNAPSHOT_MARK:
        return this.#snapshotMark(bytes, record);
      case KIND_SEGMENT_START:
        return this.#segmentStart(bytes, record);
      case KIND_METADATA:
        return this.#metadata(bytes, record);
      default:
        return `a record of unknown kind ${record.kind}`;
    }
  };

  /** Records up to where the log ended with this entry, at or before the applied index, were not read. */
  skipTo(lastIndex: number, lastTerm: number): void {
    assert(lastIndex <= this.appliedIndex, "what counts after the applied index is read");
    this.lastIndex = lastIndex;
    this.lastTerm = lastTerm;
    this.#beginAt(lastIndex, lastTerm);
  }

  /** Nothing that was read comes before this entry: the entries begin after it, or later if only later ones count. */
  #beginAt(index: number, term: number): void {
    if (index > this.fromSnapshotIndex) this.#previousIndex = index;
    this.#previousTerm = index >= this.fromSnapshotIndex ? term : -1;
  }

  /** What is wrong with the whole, after the last record; null if nothing. */
  problem(): string | null {
    if (this.metadata === null) return "no metadata record";
    if (this.#previousIndex > this.appliedIndex) {
      return (
        `the log continues from the snapshot at index ${this.#previousIndex}, ` +
        `but the state it is opened for ends at index ${this.appliedIndex}: restore this member, or remove it ` +
        "from the cluster and add it again"
      );
    }
    const last = Math.max(this.lastIndex, this.fromSnapshotIndex);
    if (this.hardState.commit > last) {
      return `index ${this.hardState.commit} was committed, but the last entry is ${last}: synced entries are gone`;
    }
    return null;
  }

  #entry(bytes: Uint8Array, record: RecordView): string | null {
    const { index, term } = record;
    if (!readEntryPayload(bytes, record, this.#payload)) return `entry ${index} does not decode`;
    if (index === 0 || index > this.lastIndex + 1) {
      return `entry ${index} follows entry ${this.lastIndex}`;
    }
    this.lastIndex = index;
    this.lastTerm = term;
    const position = index - this.#previousIndex - 1;
    if (position < 0) {
      this.entries.length = 0;
      this.#previousTerm = position === -1 ? term : -1;
      return null;
    }
    if (position > this.entries.length) {
      return `entries ${this.#previousIndex + 1 + this.entries.length} to ${index - 1} are missing`;
    }
    this.entries.length = position;
    const { kind, dataStart } = this.#payload;
    this.entries.push({ term, index, kind, data: bytes.subarray(dataStart, record.payloadEnd) });
    return null;
  }

  #hardState(bytes: Uint8Array, record: RecordView): string | null {
    const payload = readArrayPayload(bytes, record, 1);
    const vote = payload?.[0];
    if (typeof vote !== "bigint") return "a hard state does not decode";
    this.hardState = { term: record.term, vote, commit: record.index };
    return null;
  }

  /**
   * A mark of the member's own database changes nothing. A snapshot that came from another member replaced the log:
   * what stood before belongs to another history, or is older, and must not count as this member's log (its votes
   * would speak for entries it does not have).
   */
  #snapshotMark(bytes: Uint8Array, record: RecordView): string | null {
    const { index, term } = record;
    this.snapshotMarks.push({ index, term });
    const isReceived = readArrayPayload(bytes, record, 1)?.[0] === true;
    if (!isReceived)
      return index <= this.lastIndex ? null : `mark ${index} beyond ${this.lastIndex}`;
    this.entries.length = 0;
    this.lastIndex = index;
    this.lastTerm = term;
    if (index >= this.#previousIndex) {
      this.#previousIndex = index;
      this.#previousTerm = term;
    } else {
      this.#previousTerm = -1;
    }
    return null;
  }

  #segmentStart(bytes: Uint8Array, record: RecordView): string | null {
    const payload = readArrayPayload(bytes, record, 2);
    const version = payload?.[0];
    const segmentBytes = payload?.[1];
    if (typeof segmentBytes !== "number") return "a segment start does not decode";
    if (version !== FORMAT_VERSION) return `format version ${String(version)} is not known here`;
    this.segmentBytes = segmentBytes;
    if (!this.#started) {
      this.lastIndex = record.index;
      this.lastTerm = record.term;
      this.#beginAt(record.index, record.term);
    } else if (record.index !== this.lastIndex || record.term !== this.lastTerm) {
      return `the segment starts after entry ${record.index}, the log stands at ${this.lastIndex}`;
    }
    this.#started = true;
    return null;
  }

  #metadata(bytes: Uint8Array, record: RecordView): string | null {
    const payload = readArrayPayload(bytes, record, 2);
    const [memberId, clusterId] = payload ?? [];
    if (typeof memberId !== "bigint" || typeof clusterId !== "bigint") {
      return "a metadata record does not decode";
    }
    const known = this.metadata;
    if (known !== null && (known.memberId !== memberId || known.clusterId !== clusterId)) {
      return "metadata of another member";
    }
    this.metadata = { memberId, clusterId };
    return null;
  }
}
