// The replayed history: what the durable log holds, revision by revision, with every older state still
// readable. The final judge of reads, watches and acknowledgements.

import { isInRange, type KeyValue, type KvEvent } from "./kv-operations.ts";
import { byKey, deletion, type KvView } from "./kv-run.ts";

export type KvChange =
  | { readonly kind: "put"; readonly key: string; readonly value: string; readonly lease: bigint }
  | { readonly kind: "delete"; readonly key: string };

export interface RevisionChanges {
  readonly revision: number;
  readonly changes: readonly KvChange[];
}

/** A key from a revision on, null for deleted. */
interface Held {
  readonly revision: number;
  readonly keyValue: KeyValue | null;
}

const anyLease = { has: () => true };

export class RevisionHistory {
  /** The state before the first change. */
  readonly baseRevision: number;
  readonly lastRevision: number;
  /** Revisions between base and last that nothing was found for. Must be empty. */
  readonly gaps: readonly number[];
  readonly #events = new Map<number, readonly KvEvent[]>();
  readonly #keys = new Map<string, Held[]>();

  /** Revisions ascend. `base`: the keys at `baseRevision`, where the history does not begin with an empty store. */
  constructor(
    revisions: Iterable<RevisionChanges>,
    baseRevision = 1,
    base: Iterable<KeyValue> = [],
  ) {
    this.baseRevision = baseRevision;
    for (const each of base) this.#keys.set(each.key, [{ revision: baseRevision, keyValue: each }]);
    const gaps: number[] = [];
    let last = baseRevision;
    for (const { revision, changes } of revisions) {
      if (!(revision > last)) throw new Error(`revision ${revision} follows ${last} in the log`);
      for (let gap = last + 1; gap < revision; gap++) gaps.push(gap);
      this.#events.set(
        revision,
        changes.map((change) => this.#apply(revision, change)),
      );
      last = revision;
    }
    this.lastRevision = last;
    this.gaps = gaps;
  }

  /** Whether the state at this revision is known. */
  covers(revision: number): boolean {
    return revision >= this.baseRevision && revision <= this.lastRevision;
  }

  eventsAt(revision: number): readonly KvEvent[] {
    return this.#events.get(revision) ?? [];
  }

  keyAt(key: string, revision: number): KeyValue | null {
    const held = this.#keys.get(key);
    if (held === undefined) return null;
    let low = 0;
    let high = held.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (held[middle]!.revision <= revision) low = middle + 1;
      else high = middle;
    }
    return low === 0 ? null : held[low - 1]!.keyValue;
  }

  /** In key order. */
  rangeAt(key: string, rangeEnd: string, revision: number): readonly KeyValue[] {
    if (rangeEnd === "") {
      const found = this.keyAt(key, revision);
      return found === null ? [] : [found];
    }
    const found: KeyValue[] = [];
    for (const candidate of this.#keys.keys()) {
      if (!isInRange(candidate, key, rangeEnd)) continue;
      const keyValue = this.keyAt(candidate, revision);
      if (keyValue !== null) found.push(keyValue);
    }
    return found.sort(byKey);
  }

  /** The store at a revision. Leases and compactions are not part of the history: none is ruled out. */
  viewAt(revision: number): KvView {
    return {
      revision,
      compactRevision: -1,
      leases: anyLease,
      get: (key) => this.keyAt(key, revision),
      range: (key, rangeEnd) => this.rangeAt(key, rangeEnd, revision),
    };
  }

  #apply(revision: number, change: KvChange): KvEvent {
    const { key } = change;
    let held = this.#keys.get(key);
    if (held === undefined) {
      held = [];
      this.#keys.set(key, held);
    }
    const before = held.at(-1)?.keyValue ?? null;
    if (change.kind === "delete") {
      if (before === null)
        throw new Error(`the log deletes ${key} at ${revision}, which is absent`);
      held.push({ revision, keyValue: null });
      return deletion(key, revision);
    }
    const keyValue = {
      key,
      value: change.value,
      createRevision: before?.createRevision ?? revision,
      modRevision: revision,
      version: (before?.version ?? 0) + 1,
      lease: change.lease,
    };
    held.push({ revision, keyValue });
    return { kind: "put", keyValue };
  }
}
