/**
 * Reads a checkpoint into a fresh index, if the database confirms it: its history must be the one
 * the file was made of, go at least as far, and not have been compacted beyond the file's revision
 * (compaction removes rows between, and the file would raise the dead); nor may the file lack what
 * a compaction took that the database, after a crash, knows nothing of. Otherwise the reason is
 * answered and the caller scans the rows.
 */
import { equalBytes } from "../../base/bytes.ts";
import type { Database } from "../../database/index.ts";
import { KeyIndex, TOMBSTONE_BIT } from "../key-index/index.ts";
import { recordKey } from "../record.ts";
import type { LeasesByEntry } from "../restore.ts";
import { crcOfRevision } from "./checkpoint-writer.ts";
import {
  BLOCK_HEADER_BYTES,
  BLOCK_PAYLOAD_BYTES_MAX,
  blockCrc,
  type CheckpointHeader,
  type CheckpointSource,
  decodeHeader,
  FLAG_LEASED,
  FLAG_OLDER,
  FLAG_SUB,
  FLAG_TOMBSTONE,
  HEADER_BYTES,
} from "./format.ts";

const SAMPLES = 32;
const ENTRIES_HINT_MAX = 2 ** 28;

export interface LoadedCheckpoint {
  readonly index: KeyIndex;
  readonly revision: number;
  /** Entries that a compaction since may have taken something from. */
  readonly prunable: number[];
}

export function loadCheckpoint(
  source: CheckpointSource,
  database: Database,
  compactRevision: number,
  hashSeed: number,
  leases: LeasesByEntry,
): LoadedCheckpoint | string {
  const bytes = new Uint8Array(HEADER_BYTES);
  const length = source.readAt(bytes, 0, HEADER_BYTES, 0);
  const header = decodeHeader(bytes.subarray(0, length));
  if (typeof header === "string") return header;
  const problem = mismatch(header, database, compactRevision);
  if (problem !== undefined) return problem;
  const expectedKeys = Math.min(header.entriesHint, ENTRIES_HINT_MAX);
  const index = new KeyIndex({ hashSeed, expectedKeys });
  const loader = new BlockLoader(index, header.revision, leases);
  const damage = loader.readBlocks(source);
  if (damage !== undefined) return damage;
  index.finishSorted();
  const { count, prunable } = loader;
  return confirmSamples(index, count, database) ?? { index, revision: header.revision, prunable };
}

function mismatch(
  header: CheckpointHeader,
  database: Database,
  compactRevision: number,
): string | undefined {
  if (header.revision < compactRevision) return "is older than the last compaction";
  if (header.compactRevision > compactRevision) return "lacks what a lost compaction took away";
  if (crcOfRevision(database, header.revision) !== header.revisionCrc) {
    return "belongs to another database or a later state of it";
  }
  return undefined;
}

/** Some living keys must be in the database as the checkpoint says. */
function confirmSamples(index: KeyIndex, count: number, database: Database): string | undefined {
  const stride = Math.max(1, Math.floor(count / SAMPLES));
  for (let id = 1; id <= count; id += stride) {
    if (!index.isLive(id)) continue;
    const record = database.getRevision(index.mod(id), index.sub(id));
    if (record === undefined || !equalBytes(recordKey(record), index.copyKey(id))) {
      return "names a revision that the database does not have";
    }
  }
  return undefined;
}

class BlockLoader {
  count = 0;
  readonly prunable: number[] = [];
  readonly #index: KeyIndex;
  readonly #revision: number;
  readonly #leases: LeasesByEntry;
  #bytes = new Uint8Array(0);
  #at = 0;
  #end = 0;
  // The key being put together, and views of its buffer by length, so that no view is made per key.
  #key = new Uint8Array(1024);
  #views: Uint8Array[] = [];
  readonly #older: number[] = [];

  constructor(index: KeyIndex, revision: number, leases: LeasesByEntry) {
    this.#index = index;
    this.#revision = revision;
    this.#leases = leases;
  }

  readBlocks(source: CheckpointSource): string | undefined {
    const head = new Uint8Array(BLOCK_HEADER_BYTES);
    const view = new DataView(head.buffer);
    for (let position = HEADER_BYTES; ; ) {
      if (source.readAt(head, 0, BLOCK_HEADER_BYTES, position) < BLOCK_HEADER_BYTES) {
        return "is cut off";
      }
      const length = view.getUint32(0, true);
      const entries = view.getUint32(4, true);
      if (length === 0) {
        const isWhole =
          entries === this.count && blockCrc(head, head, 0, 0) === view.getUint32(8, true);
        return isWhole ? undefined : "has a damaged end";
      }
      if (length > BLOCK_PAYLOAD_BYTES_MAX) return "has a damaged block";
      if (this.#bytes.length < length) this.#bytes = new Uint8Array(length);
      position += BLOCK_HEADER_BYTES;
      if (source.readAt(this.#bytes, 0, length, position) < length) return "is cut off";
      if (blockCrc(head, this.#bytes, 0, length) !== view.getUint32(8, true)) {
        return "has a damaged block";
      }
      this.#at = 0;
      this.#end = length;
      for (let left = entries; left > 0; left--) {
        if (!this.#readEntry()) return "has a block that cannot be decoded";
      }
      if (this.#at !== length) return "has a block that cannot be decoded";
      position += length;
    }
  }

  #readEntry(): boolean {
    const shared = this.#number();
    const suffix = this.#number();
    const start = this.#at;
    if (start + suffix > this.#end) return false;
    const length = shared + suffix;
    if (length > this.#key.length) this.#growKey(length);
    const key = this.#key;
    for (let i = 0; i < suffix; i++) key[shared + i] = this.#bytes[start + i]!;
    this.#at = start + suffix;
    const flags = this.#number();
    const main = this.#revision - this.#number();
    const sub = (flags & FLAG_SUB) === 0 ? 0 : this.#number();
    const tombstone = (flags & FLAG_TOMBSTONE) !== 0;
    const create = tombstone ? 0 : main - this.#number();
    const version = tombstone ? 0 : this.#number();
    const leased = (flags & FLAG_LEASED) !== 0;
    const lease = leased ? this.#lease() : 0n;
    if (length === 0 || main < 0 || create < 0 || this.#at > this.#end) return false;
    this.#views[length] ??= key.subarray(0, length);
    const marked = tombstone ? (sub | TOMBSTONE_BIT) >>> 0 : sub;
    const id = this.#index.addSorted(this.#views[length], main, marked, create, version, leased);
    this.count++;
    if (leased) this.#leases.set(id, lease);
    if ((flags & (FLAG_OLDER | FLAG_TOMBSTONE)) !== 0) this.prunable.push(id);
    return (flags & FLAG_OLDER) === 0 || this.#readOlder(id, main);
  }

  /** The file has them from the newest to the oldest; the index takes them the other way round. */
  #readOlder(id: number, newest: number): boolean {
    const older = this.#older;
    const count = this.#number();
    let main = newest;
    older.length = 0;
    for (let i = 0; i < count; i++) {
      if (this.#at >= this.#end) return false;
      main -= this.#number();
      const sub = this.#number();
      const bit = sub % 2 === 1 ? TOMBSTONE_BIT : 0;
      older.push(main, (Math.floor(sub / 2) | bit) >>> 0);
    }
    for (let i = older.length - 2; i >= 0; i -= 2) {
      this.#index.restoreOlder(id, older[i]!, older[i + 1]!);
    }
    return this.#at <= this.#end && main >= 0;
  }

  #number(): number {
    const bytes = this.#bytes;
    let byte = bytes[this.#at++]!;
    if (byte < 128) return byte;
    let value = byte & 0x7f;
    let factor = 128;
    do {
      if (this.#at >= this.#end) return 0;
      byte = bytes[this.#at++]!;
      value += (byte & 0x7f) * factor;
      factor *= 128;
    } while (byte >= 128);
    return value;
  }

  #lease(): bigint {
    const at = this.#at;
    this.#at += 8;
    if (this.#at > this.#end) return 0n;
    return new DataView(this.#bytes.buffer).getBigInt64(at, true);
  }

  #growKey(length: number): void {
    const larger = new Uint8Array(length * 2);
    larger.set(this.#key);
    this.#key = larger;
    this.#views = [];
  }
}
