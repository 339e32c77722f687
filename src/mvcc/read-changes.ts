/**
 * History for watchers that catch up: rows of the database made into changes, whole revisions at a
 * time.
 */
import { assert } from "../base/assert.ts";
import { encodeDeleted } from "./record.ts";
import type { StoreCore } from "./store-core.ts";
import { CHANGE_DELETE, CHANGE_PUT, StoredChange } from "./stored-change.ts";
import type { ChangeBatch, ChangeEvent } from "./types.ts";

export function readChanges(
  core: StoreCore,
  fromRevision: number,
  revisionsMax: number,
  bytesMax: number,
): { batches: ChangeBatch[]; nextRevision: number } | "compacted" {
  if (fromRevision < core.compactRevision) return "compacted";
  const batches: ChangeBatch[] = [];
  let events: ChangeEvent[] = [];
  let revision = 0;
  let bytes = 0;
  const rows = core.database.rows(Math.max(fromRevision, 0), 0);
  while (rows.next()) {
    if (rows.main !== revision) {
      if (batches.length >= revisionsMax || bytes > bytesMax) {
        return { batches, nextRevision: rows.main };
      }
      revision = rows.main;
      events = [];
      batches.push({ revision, events });
    }
    const value = rows.value();
    bytes += value.length;
    const { reader } = core;
    const readable = reader.read(value);
    assert(readable, `the record of revision ${revision}.${rows.sub} can be read`);
    if (rows.tombstone) {
      const kv = encodeDeleted(value.subarray(reader.keyStart, reader.keyEnd), revision);
      events.push(new StoredChange(CHANGE_DELETE, revision, rows.sub, kv, false));
    } else {
      const created = reader.version === 1;
      events.push(new StoredChange(CHANGE_PUT, revision, rows.sub, value, created));
    }
  }
  return { batches, nextRevision: core.revision + 1 };
}
