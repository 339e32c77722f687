/**
 * One write transaction of the store together with the lessor: whatever is put or deleted is attached to or
 * detached from its lease in the same step. Made for one command, ended by it.
 */
import {
  type DeleteRangeRequest,
  type DeleteRangeResponseInit,
  decodeKeyValue,
  type EtcdError,
  errKeyNotFound,
  type PutRequest,
  type PutResponseInit,
} from "../api/index.ts";
import { EMPTY_BYTES } from "../base/bytes.ts";
import type { Lessor } from "../lease/index.ts";
import type { RangeOptions, RangeResult, RevisionProblem, Store } from "../mvcc/index.ts";
import type { ApplyCounters } from "./counters.ts";
import type { RangeView } from "./range.ts";

const ONE_NEWEST = { revision: 0, limit: 1, countOnly: false, keysOnly: false };

export class KvWriter implements RangeView {
  readonly #lessor: Lessor;
  readonly #counters: ApplyCounters;
  readonly #transaction: ReturnType<Store["beginTransaction"]>;
  readonly #beginRevision: number;
  #changed = false;

  constructor(store: Store, lessor: Lessor, counters: ApplyCounters) {
    this.#lessor = lessor;
    this.#counters = counters;
    this.#beginRevision = store.revision();
    this.#transaction = store.beginTransaction();
  }

  /** What a response's header says now: one more than at the start once something changed. */
  revision(): number {
    return this.#beginRevision + (this.#changed ? 1 : 0);
  }

  range(
    key: Uint8Array,
    rangeEnd: Uint8Array,
    options: RangeOptions,
  ): RangeResult | RevisionProblem {
    return this.#transaction.range(key, rangeEnd, options);
  }

  /** The lease, if one is named, must exist; the caller checked. */
  put(request: PutRequest): PutResponseInit | EtcdError {
    let { value, lease } = request;
    if (request.ignore_value || request.ignore_lease) {
      const present = this.#transaction.range(request.key, EMPTY_BYTES, ONE_NEWEST);
      const record = (present as RangeResult).kvs[0];
      if (record === undefined) return errKeyNotFound;
      const kv = decodeKeyValue(record);
      if (request.ignore_value) value = kv.value;
      // A database from elsewhere may name a lease that is gone.
      if (request.ignore_lease) lease = this.#lessor.has(kv.lease) ? kv.lease : 0n;
    }
    const previous = this.#transaction.put(request.key, value, lease, request.prev_kv);
    this.#lessor.attach(request.key, lease);
    this.#changed = true;
    this.#counters.puts++;
    this.#counters.putBytes += request.key.length + value.length;
    return previous === undefined ? {} : { prev_kv: previous };
  }

  deleteRange(request: DeleteRangeRequest): DeleteRangeResponseInit {
    const { key, range_end, prev_kv } = request;
    const result = this.#transaction.deleteRange(key, range_end, prev_kv);
    for (const deleted of result.keys) this.#lessor.detach(deleted);
    this.#counters.deletes += result.deleted;
    if (result.deleted > 0) this.#changed = true;
    return { deleted: result.deleted, prev_kvs: result.previous };
  }

  /** Deletes one key that is known to exist or not; for revoked leases. */
  deleteKey(key: Uint8Array): void {
    const { deleted } = this.#transaction.deleteRange(key, EMPTY_BYTES, false);
    if (deleted > 0) this.#changed = true;
    this.#counters.deletes += deleted;
  }

  /** Ends the transaction; the store's revision afterwards. */
  end(): number {
    return this.#transaction.end();
  }
}
