/**
 * Writes the index as of one revision while the store goes on changing: each step takes the next
 * keys and what they were at that revision, which later changes do not touch. Only a compaction
 * does; then the attempt is given up ("outdated").
 */
import { assert } from "../../base/assert.ts";
import { crc32c } from "../../base/crc32c.ts";
import type { Database } from "../../database/index.ts";
import { TOMBSTONE_BIT } from "../key-index/index.ts";
import type { StoreCore } from "../store-core.ts";
import { BlockWriter } from "./block-writer.ts";
import {
  type CheckpointSink,
  encodeEndMark,
  encodeHeader,
  FLAG_LEASED,
  FLAG_OLDER,
  FLAG_SUB,
  FLAG_TOMBSTONE,
} from "./format.ts";

const OPEN_END = new Uint8Array([0]);

export type CheckpointProgress = "more" | "waiting" | "done" | "outdated";

export class CheckpointWriter {
  readonly revision: number;
  readonly #core: StoreCore;
  readonly #compactRevision: number;
  readonly #sink: CheckpointSink;
  readonly #written: (revision: number) => void;
  readonly #block = new BlockWriter();
  #nextKey: Uint8Array = OPEN_END;
  #key = new Uint8Array(1024);
  #entries = 0;
  #isStarted = false;
  #isOver = false;

  constructor(core: StoreCore, sink: CheckpointSink, written: (revision: number) => void) {
    this.#core = core;
    this.#sink = sink;
    this.#written = written;
    this.revision = core.revision;
    this.#compactRevision = core.compactRevision;
  }

  /**
   * Writes up to `keysMax` keys. "waiting": the revision is not durable yet, try again after the
   * commit that this started. After "done" the caller makes the sink durable; "outdated" means
   * begin again later.
   */
  step(keysMax: number): CheckpointProgress {
    assert(!this.#isOver, "the checkpoint is not over");
    const { database, compactRevision } = this.#core;
    if (compactRevision !== this.#compactRevision || this.#core.isReplaced) {
      this.#isOver = true;
      return "outdated";
    }
    if (!this.#isStarted) {
      if (!database.isCommitted(this.revision)) {
        database.commit();
        return "waiting";
      }
      this.#start();
    }
    if (this.#writeKeys(keysMax)) return "more";
    if (!this.#block.isEmpty) this.#sink.write(this.#block.take());
    this.#sink.write(encodeEndMark(this.#entries));
    this.#isOver = true;
    this.#written(this.revision);
    return "done";
  }

  #start(): void {
    const { database, index } = this.#core;
    const header = {
      revision: this.revision,
      revisionCrc: crcOfRevision(database, this.revision),
      entriesHint: index.keyCount(),
      compactRevision: this.#compactRevision,
    };
    this.#sink.write(encodeHeader(header));
    this.#isStarted = true;
  }

  /** False when there are no more keys. */
  #writeKeys(keysMax: number): boolean {
    const { index } = this.#core;
    const block = this.#block;
    let count = 0;
    let last = 0;
    index.scan(this.#nextKey, OPEN_END, true, (id) => {
      last = id;
      if (index.locate(id, this.revision)) this.#writeEntry(id);
      if (block.isFull) this.#sink.write(block.take());
      return ++count < keysMax;
    });
    if (count < keysMax) return false;
    // The first key behind the last one.
    this.#nextKey = new Uint8Array(index.keyLength(last) + 1);
    index.copyKeyInto(last, this.#nextKey, 0);
    return true;
  }

  /** The index just located the entry at our revision. */
  #writeEntry(id: number): void {
    const { index } = this.#core;
    const block = this.#block;
    const main = index.foundMain;
    const found = index.foundSub;
    const length = index.keyLength(id);
    if (length > this.#key.length) this.#key = new Uint8Array(length * 2);
    index.copyKeyInto(id, this.#key, 0);
    block.key(this.#key, length);
    this.#entries++;
    const isNewest = index.mod(id) === main && index.subAndTombstone(id) === found;
    if (!isNewest || found !== 0 || !index.isPlain(id) || index.isLeased(id)) {
      this.#writeRare(id, main, found % TOMBSTONE_BIT, found >= TOMBSTONE_BIT, isNewest);
      return;
    }
    block.number(0);
    block.number(this.revision - main);
    block.number(main - index.create(id));
    block.number(index.version(id));
  }

  /** The numbers of an entry that has more than one put at the newest revision. */
  #writeRare(id: number, main: number, sub: number, isDead: boolean, isNewest: boolean): void {
    const { index, reader } = this.#core;
    const block = this.#block;
    let create = index.create(id);
    let version = index.version(id);
    let lease = 0n;
    if (!isDead && (!isNewest || index.isLeased(id))) {
      const readable = reader.read(this.#core.record(main, sub));
      assert(readable, "a stored record can be read");
      ({ create, version, lease } = reader);
    }
    const older: number[] = [];
    index.forEachOlder(id, (olderMain, olderSub) => {
      const isBefore = olderMain < main || (olderMain === main && olderSub % TOMBSTONE_BIT < sub);
      if (isBefore) older.push(olderMain, olderSub);
    });
    block.number(
      (isDead ? FLAG_TOMBSTONE : 0) |
        (lease === 0n ? 0 : FLAG_LEASED) |
        (older.length === 0 ? 0 : FLAG_OLDER) |
        (sub === 0 ? 0 : FLAG_SUB),
    );
    block.number(this.revision - main);
    if (sub !== 0) block.number(sub);
    if (!isDead) {
      block.number(main - create);
      block.number(version);
    }
    if (lease !== 0n) block.lease(lease);
    if (older.length > 0) this.#writeOlder(main, older);
  }

  #writeOlder(newest: number, older: readonly number[]): void {
    const block = this.#block;
    block.number(older.length / 2);
    let newer = newest;
    for (let i = 0; i < older.length; i += 2) {
      block.number(newer - older[i]!);
      const sub = older[i + 1]!;
      block.number((sub % TOMBSTONE_BIT) * 2 + (sub >= TOMBSTONE_BIT ? 1 : 0));
      newer = older[i]!;
    }
  }
}

/** CRC-32C over keys and values of the rows of one revision; 0 when there are none. */
export function crcOfRevision(database: Database, revision: number): number {
  let crc = 0;
  const rows = database.rows(revision, 0);
  while (rows.next() && rows.main === revision) crc = crc32c(rows.value(), crc32c(rows.key(), crc));
  return crc;
}
