/**
 * A ChangeSource held in plain arrays, for tests: slow, obvious, and it keeps the whole history beside what
 * compaction leaves, so that a test can compare what watchers saw with what happened. Compaction follows etcd:
 * per key the newest record at or below the revision stays; a tombstone stays only at exactly that revision.
 */
import { encodeKeyValue, ProtoWriter } from "../../api/index.ts";
import type { ChangeBatch, ChangeEvent, ChangeSource } from "../types.ts";
import { keyText } from "./key-text.ts";

export interface MemoryChange {
  readonly key: Uint8Array;
  /** Absent for a delete. */
  readonly value?: Uint8Array;
}

interface MemoryRecord {
  readonly revision: number;
  readonly createRevision: number;
  readonly version: number;
  /** Undefined for a tombstone. */
  readonly kv: Uint8Array | undefined;
}

export class MemoryChangeSource implements ChangeSource {
  /** Everything that ever happened. */
  readonly log: ChangeBatch[] = [];
  /** Makes reads shorter than they were asked for, as a full byte bound does. */
  revisionsPerReadMax = Infinity;
  #batches: ChangeBatch[] = [];
  readonly #records = new Map<string, MemoryRecord[]>();
  #revision = 1;
  #compactRevision = -1;

  revision(): number {
    return this.#revision;
  }

  compactRevision(): number {
    return this.#compactRevision;
  }

  /** One transaction; null when it changed nothing. */
  commit(changes: readonly MemoryChange[]): ChangeBatch | null {
    const revision = this.#revision + 1;
    const events: ChangeEvent[] = [];
    for (const { key, value } of changes) {
      const records = this.#recordsOf(key);
      const newest = records.at(-1);
      const alive = newest?.kv !== undefined;
      if (value === undefined && !alive) continue;
      const createRevision = alive ? newest.createRevision : revision;
      const version = alive ? newest.version + 1 : 1;
      const writer = new ProtoWriter();
      if (value === undefined) encodeKeyValue(writer, { key, mod_revision: revision });
      else {
        encodeKeyValue(writer, {
          key,
          create_revision: createRevision,
          mod_revision: revision,
          version,
          value,
        });
      }
      const kv = writer.finish();
      records.push({ revision, createRevision, version, kv: value && kv });
      events.push({
        type: value === undefined ? 1 : 0,
        revision,
        sub: events.length,
        key,
        kv,
        created: value !== undefined && version === 1,
      });
    }
    if (events.length === 0) return null;
    this.#revision = revision;
    const batch = { revision, events };
    this.log.push(batch);
    this.#batches.push(batch);
    return batch;
  }

  compact(revision: number): void {
    this.#compactRevision = revision;
    const left: ChangeBatch[] = [];
    for (const batch of this.#batches) {
      const events = batch.events.filter((event) => this.#survives(event, revision));
      if (events.length > 0) left.push({ revision: batch.revision, events });
    }
    this.#batches = left;
  }

  readChanges(
    fromRevision: number,
    revisionsMax: number,
    bytesMax: number,
  ): { batches: ChangeBatch[]; nextRevision: number } | "compacted" {
    if (fromRevision < this.#compactRevision) return "compacted";
    const batches: ChangeBatch[] = [];
    let bytes = 0;
    for (const batch of this.#batches) {
      if (batch.revision < fromRevision) continue;
      if (batches.length >= Math.min(revisionsMax, this.revisionsPerReadMax) || bytes > bytesMax) {
        return { batches, nextRevision: batch.revision };
      }
      batches.push(batch);
      for (const event of batch.events) bytes += event.kv.length;
    }
    return { batches, nextRevision: this.#revision + 1 };
  }

  recordAt(key: Uint8Array, revision: number): Uint8Array | undefined {
    if (revision < this.#compactRevision) return undefined;
    return this.recordBefore(key, revision + 1);
  }

  /** The record just before a revision, from the whole history. */
  recordBefore(key: Uint8Array, revision: number): Uint8Array | undefined {
    const records = this.#recordsOf(key);
    return records.findLast((record) => record.revision < revision)?.kv;
  }

  #survives(event: ChangeEvent, compactRevision: number): boolean {
    if (event.revision > compactRevision) return true;
    const records = this.#recordsOf(event.key);
    const newest = records.findLast((record) => record.revision <= compactRevision);
    if (newest?.revision !== event.revision) return false;
    return event.type === 0 || event.revision === compactRevision;
  }

  #recordsOf(key: Uint8Array): MemoryRecord[] {
    const text = keyText(key);
    let records = this.#records.get(text);
    if (records === undefined) {
      records = [];
      this.#records.set(text, records);
    }
    return records;
  }
}
