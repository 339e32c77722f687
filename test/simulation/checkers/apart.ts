// What changes without a revision, each as an object of its own: whether a lease exists, and up to where
// the store is compacted. Projected from the history like single keys in per-key.ts: what an answer does
// not tell is allowed.

import type { HistoryEntry, Model, Outcome } from "./history.ts";
import type { KvEntry } from "./kv-model.ts";
import type { KvRequest, KvResponse, TxnOperation } from "./kv-operations.ts";

/** Needs the lease to be there or not (null: either), and leaves it there or not (null: as it was). */
export interface LeaseOperation {
  readonly lease: bigint;
  readonly expects: boolean | null;
  readonly leaves: boolean | null;
}

export const leaseModel: Model<boolean, LeaseOperation, true> = {
  initial: false,
  step: (state, { expects, leaves }) => [expects === null || expects === state, leaves ?? state],
  hash: Number,
  equal: (a, b) => a === b,
  preservesState: ({ leaves }) => leaves === null,
  partition: ({ lease }) => String(lease),
};

export function perLease(entries: readonly KvEntry[]): HistoryEntry<LeaseOperation, true>[] {
  return projected(entries, leaseOperations);
}

function leaseOperations(input: KvRequest, output: KvResponse | null): LeaseOperation[] {
  const error = output?.kind === "error" ? output.error : null;
  const known = output !== null;
  switch (input.kind) {
    case "lease-grant": {
      const { lease } = input;
      if (error === "lease-exists") return [{ lease, expects: true, leaves: null }];
      return [{ lease, expects: known ? false : null, leaves: true }];
    }
    case "lease-revoke": {
      const { lease } = input;
      if (error === "lease-not-found") return [{ lease, expects: false, leaves: null }];
      return [{ lease, expects: known ? true : null, leaves: false }];
    }
    case "put": {
      const { lease } = input;
      if (!known || lease === 0n) return [];
      return [{ lease, expects: error !== "lease-not-found", leaves: null }];
    }
    default: {
      const used = new Set<bigint>();
      if (output !== null) for (const put of performed(input, output, "put")) used.add(put.lease);
      used.delete(0n);
      return [...used].map((lease) => ({ lease, expects: true, leaves: null }));
    }
  }
}

/** `reads`: was not compacted away (true) or was (false). Otherwise compacts, where `done` (null: not known). */
export type CompactionOperation =
  | { readonly revision: number; readonly reads: boolean }
  | { readonly revision: number; readonly done: boolean | null };

export const compactionModel: Model<number, CompactionOperation, true> = {
  initial: -1,
  step(state, operation) {
    const { revision } = operation;
    if ("reads" in operation) return [operation.reads === revision >= state, state];
    const compacts = revision > state;
    if (operation.done !== null && operation.done !== compacts) return [false, state];
    return [true, compacts ? revision : state];
  },
  hash: (state) => state,
  equal: (a, b) => a === b,
  preservesState: (operation) => "reads" in operation || operation.done === false,
};

export function compactions(
  entries: readonly KvEntry[],
): HistoryEntry<CompactionOperation, true>[] {
  return projected(entries, compactionOperations);
}

function compactionOperations(input: KvRequest, output: KvResponse | null): CompactionOperation[] {
  const error = output?.kind === "error" ? output.error : null;
  if (error !== null && error !== "compacted") return [];
  if (input.kind === "compact") {
    return [{ revision: input.revision, done: output === null ? null : error === null }];
  }
  // A member that lags may have compacted less; so its own reads prove nothing.
  if (output === null || (input.kind === "range" && input.serializable)) return [];
  if (input.kind === "range" && error === "compacted") {
    return [{ revision: input.revision, reads: false }];
  }
  return performed(input, output, "range")
    .filter(({ revision }) => revision > 0)
    .map(({ revision }) => ({ revision, reads: true }));
}

/** The operations of a kind that were carried out: in a txn, those of the branch that was taken. */
function performed<Kind extends TxnOperation["kind"]>(
  input: KvRequest,
  output: KvResponse,
  kind: Kind,
): (TxnOperation & { kind: Kind })[] {
  if (output.kind === "error" || output.kind === "applied") return [];
  if (input.kind === kind) return [input as TxnOperation & { kind: Kind }];
  if (input.kind !== "txn" || output.kind !== "txn") return [];
  const branch = output.succeeded ? input.success : input.failure;
  return branch.flatMap((each, at) => performed(each, output.responses[at]!, kind));
}

/** Operations of one request become entries of their own at the same time: they touch different objects, or only read. */
function projected<Operation>(
  entries: readonly KvEntry[],
  operationsOf: (input: KvRequest, output: KvResponse | null) => Operation[],
): HistoryEntry<Operation, true>[] {
  return entries.flatMap(({ client, input, callTime, outcome }) => {
    if (outcome.kind === "failed") return [];
    const output = outcome.kind === "ok" ? outcome.output : null;
    const seen: Outcome<true> =
      outcome.kind === "ok"
        ? { kind: "ok", output: true, returnTime: outcome.returnTime }
        : { kind: "unknown" };
    return operationsOf(input, output).map((operation) => ({
      client,
      input: operation,
      callTime,
      outcome: seen,
    }));
  });
}
