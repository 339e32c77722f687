/**
 * What was handed out to be made durable and is not reported yet, and the messages that wait for
 * it. This is where "not before it is on disk" is enforced (ready.ts): a held message leaves with
 * the report that covers the Ready it belongs to, in order.
 *
 * Invariants: sequences ascend; `lastIndex` is only ever lowered, so that a report never vouches
 * for an entry that was overwritten meanwhile, even by an equal one (etcd's
 * async_storage_writes_append_aba_race).
 */
import type { Message } from "./message.ts";

/** While the disk hangs, further Readys share the last of so many records: they are reported together. */
const RECORDS_MAX = 4096;

export interface PersistRecord {
  readonly sequence: number;
  /** Everything up to here is durable with the report; 0 for none. */
  lastIndex: number;
  /** The snapshot this record installs; 0 for none. */
  readonly snapshotIndex: number;
  /** The commit index of the hard state written with it. */
  readonly commit: number;
  readonly takenAtTick: number;
  held: Message[];
}

export interface PersistReport {
  readonly lastIndex: number;
  readonly snapshotIndex: number;
  readonly commit: number;
  readonly released: readonly Message[];
}

export class PersistQueue {
  readonly #records: PersistRecord[] = [];

  isEmpty(): boolean {
    return this.#records.length === 0;
  }

  get count(): number {
    return this.#records.length;
  }

  add(record: PersistRecord): void {
    const last = this.#records[this.#records.length - 1];
    const isShared = this.#records.length >= RECORDS_MAX && last !== undefined;
    if (!isShared || last.snapshotIndex > 0 || record.snapshotIndex > 0) {
      this.#records.push(record);
      return;
    }
    // Reported later than it could be, which is always safe; what hangs is as old as its oldest part.
    for (const message of record.held) last.held.push(message);
    const { takenAtTick, held } = last;
    const lastIndex = record.lastIndex > 0 ? record.lastIndex : last.lastIndex;
    this.#records[this.#records.length - 1] = { ...record, lastIndex, takenAtTick, held };
  }

  /** Messages that promise nothing newer than the last record. */
  holdWithLast(held: Message[]): void {
    const last = this.#records[this.#records.length - 1]!;
    last.held = last.held.length === 0 ? held : last.held.concat(held);
  }

  /**
   * Entries from `index` on were replaced: what older records wrote there is not the log any more.
   */
  truncate(index: number): void {
    for (const record of this.#records) {
      if (record.lastIndex >= index) record.lastIndex = index - 1;
    }
  }

  /**
   * The next record that `persisted(sequence)` covers, oldest first; null when there is none left.
   */
  take(sequence: number): PersistReport | null {
    const first = this.#records[0];
    if (first === undefined || first.sequence > sequence) return null;
    this.#records.shift();
    return {
      lastIndex: first.lastIndex,
      snapshotIndex: first.snapshotIndex,
      commit: first.commit,
      released: first.held,
    };
  }

  /** How long the oldest write has been under way. */
  ageTicks(nowTick: number): number {
    const first = this.#records[0];
    return first === undefined ? 0 : nowTick - first.takenAtTick;
  }
}
