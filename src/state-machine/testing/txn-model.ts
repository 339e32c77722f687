/**
 * Transactions over a plain map, written from the rules alone: every compare of the path sees the state before, the
 * path is checked whole, then it runs. Shares no code with the product.
 */
import type {
  Compare,
  DeleteRangeRequest,
  PutRequest,
  RangeRequest,
  RequestOp,
  TxnRequest,
} from "../../api/index.ts";

export interface ModelRow {
  readonly key: string;
  readonly value: string;
  readonly create: number;
  readonly mod: number;
  readonly version: number;
  readonly lease: bigint;
}

type Rows = Map<string, ModelRow>;

export type ModelReply =
  | { readonly error: string }
  | { readonly revision: number; readonly succeeded: boolean; readonly responses: ModelResponse[] };

export type ModelResponse =
  | { readonly revision: number; readonly rows: ModelRow[]; readonly count: number }
  | { readonly revision: number; readonly before: ModelRow | null }
  | { readonly revision: number; readonly deleted: number; readonly before: ModelRow[] }
  | { readonly succeeded: boolean; readonly responses: ModelResponse[] };

const text = (bytes: Uint8Array): string => Buffer.from(bytes).toString("latin1");

export class TxnModel {
  /** States by revision; revision 1 is empty. */
  readonly states: Rows[] = [new Map(), new Map()];
  readonly leases = new Set<bigint>();
  compacted = -1;
  #working: Rows = new Map();
  #changes = 0;

  get revision(): number {
    return this.states.length - 1;
  }

  run(request: TxnRequest): ModelReply {
    const before = this.states.at(-1)!;
    const chosen = this.#choose(request, before);
    const error = this.#checkPuts(chosen, before) ?? this.#checkRanges(chosen);
    if (error !== null) return { error };
    this.#working = new Map(before);
    this.#changes = 0;
    const responses = this.#runAll(chosen.operations);
    if (this.#changes > 0) this.states.push(this.#working);
    return { revision: this.revision, succeeded: chosen.succeeded, responses };
  }

  /** The branch that runs, with nested transactions replaced by their branch. */
  #choose(request: TxnRequest, before: Rows): Branch {
    const succeeded = request.compare.every((compare) => holds(compare, before));
    const list = succeeded ? request.success : request.failure;
    const operations = list.map((operation) => {
      const nested = operation.request_txn;
      return nested === undefined ? operation : this.#choose(nested, before);
    });
    return { succeeded, operations };
  }

  #checkPuts(branch: Branch, before: Rows): string | null {
    // What an earlier open-ended delete of the same path took away is gone for a put that needs it.
    const keys = new Set(before.keys());
    for (const operation of flat(branch)) {
      const { request_put: put, request_delete_range: deletion } = operation;
      if (deletion !== undefined) {
        for (const key of [...keys]) if (covers(deletion, key)) keys.delete(key);
      }
      if (put === undefined) continue;
      const present = keys.has(text(put.key)) && before.has(text(put.key));
      if ((put.ignore_value || put.ignore_lease) && !present) {
        return "etcdserver: key not found";
      }
      if (put.lease !== 0n && !this.leases.has(put.lease)) {
        return "etcdserver: requested lease not found";
      }
      if (before.has(text(put.key))) keys.add(text(put.key));
    }
    return null;
  }

  #checkRanges(branch: Branch): string | null {
    for (const { request_range: range } of flat(branch)) {
      if (range === undefined || range.revision === 0) continue;
      if (range.revision > this.revision) {
        return "etcdserver: mvcc: required revision is a future revision";
      }
      if (range.revision < this.compacted) {
        return "etcdserver: mvcc: required revision has been compacted";
      }
    }
    return null;
  }

  #runAll(operations: readonly (RequestOp | Branch)[]): ModelResponse[] {
    return operations.map((operation) => {
      if ("operations" in operation) {
        const { succeeded, operations: inner } = operation;
        return { succeeded, responses: this.#runAll(inner) };
      }
      if (operation.request_put !== undefined) return this.#put(operation.request_put);
      if (operation.request_range !== undefined) return this.#range(operation.request_range);
      return this.#delete(operation.request_delete_range!);
    });
  }

  /** What headers inside say: one more than before, once something changed. */
  #inside(): number {
    return this.revision + (this.#changes > 0 ? 1 : 0);
  }

  #put(put: PutRequest): ModelResponse {
    const key = text(put.key);
    const old = this.#working.get(key);
    const mod = this.revision + 1;
    this.#changes++;
    this.#working.set(key, {
      key,
      value: put.ignore_value ? old!.value : text(put.value),
      create: old?.create ?? mod,
      mod,
      version: (old?.version ?? 0) + 1,
      lease: put.ignore_lease ? old!.lease : put.lease,
    });
    return { revision: this.#inside(), before: put.prev_kv ? (old ?? null) : null };
  }

  #delete(deletion: DeleteRangeRequest): ModelResponse {
    const gone = sorted(this.#working).filter((row) => covers(deletion, row.key));
    for (const row of gone) this.#working.delete(row.key);
    this.#changes += gone.length;
    const before = deletion.prev_kv ? gone : [];
    return { revision: this.#inside(), deleted: gone.length, before };
  }

  #range(range: RangeRequest): ModelResponse {
    const at = range.revision > 0 ? this.states[range.revision]! : this.#working;
    const found = sorted(at).filter((row) => covers(range, row.key));
    const limited = range.limit > 0 ? found.slice(0, range.limit) : found;
    const shown = range.keys_only
      ? limited.map((row) => ({ ...row, value: "", lease: 0n }))
      : limited;
    const rows = range.count_only ? [] : shown;
    return { revision: this.#inside(), rows, count: found.length };
  }
}

interface Branch {
  readonly succeeded: boolean;
  readonly operations: readonly (RequestOp | Branch)[];
}

function flat(branch: Branch): RequestOp[] {
  return branch.operations.flatMap((item) => ("operations" in item ? flat(item) : [item]));
}

function sorted(rows: Rows): ModelRow[] {
  return [...rows.values()].sort((a, b) => (a.key < b.key ? -1 : 1));
}

function covers(range: { key: Uint8Array; range_end: Uint8Array }, key: string): boolean {
  const start = text(range.key);
  const end = text(range.range_end);
  if (end === "") return key === start;
  return key >= start && (end === "\0" || key < end);
}

function holds(compare: Compare, rows: Rows): boolean {
  const found = sorted(rows).filter((row) => covers(compare, row.key));
  const missing = { key: "", value: "", create: 0, mod: 0, version: 0, lease: 0n };
  if (found.length === 0) return compare.target !== 3 && relation(compare, missing);
  return found.every((row) => relation(compare, row));
}

function relation(compare: Compare, row: ModelRow): boolean {
  const [left, right] = operands(compare, row);
  switch (compare.result) {
    case 0:
      return left === right;
    case 1:
      return left > right;
    case 2:
      return left < right;
    default:
      return left !== right;
  }
}

type Operand = number | bigint | string;

function operands(compare: Compare, row: ModelRow): [Operand, Operand] {
  switch (compare.target) {
    case 0:
      return [row.version, compare.version ?? 0];
    case 1:
      return [row.create, compare.create_revision ?? 0];
    case 2:
      return [row.mod, compare.mod_revision ?? 0];
    case 3:
      return [row.value, text(compare.value ?? new Uint8Array(0))];
    default:
      return [row.lease, compare.lease ?? 0n];
  }
}
