/** Keys and values. Requests are the wire messages with every field optional; answers are the decoded messages. */
import type {
  CompactionRequestInit,
  CompactionResponse,
  DeleteRangeRequestInit,
  DeleteRangeResponse,
  PutRequestInit,
  PutResponse,
  RangeRequestInit,
  RangeResponse,
  RequestOpInit,
  TxnRequestInit,
  TxnResponse,
} from "../api/index.ts";
import type { Caller } from "./caller.ts";
import type { CallOptions } from "./options.ts";

export class KvClient {
  readonly #caller: Caller;

  constructor(caller: Caller) {
    this.#caller = caller;
  }

  range(request: RangeRequestInit, options?: CallOptions): Promise<RangeResponse> {
    return this.#caller.unary("/etcdserverpb.KV/Range", request, "read", options);
  }

  put(request: PutRequestInit, options?: CallOptions): Promise<PutResponse> {
    return this.#caller.unary("/etcdserverpb.KV/Put", request, "write", options);
  }

  deleteRange(
    request: DeleteRangeRequestInit,
    options?: CallOptions,
  ): Promise<DeleteRangeResponse> {
    return this.#caller.unary("/etcdserverpb.KV/DeleteRange", request, "write", options);
  }

  /** A transaction that can only read is retried like a read. */
  txn(request: TxnRequestInit, options?: CallOptions): Promise<TxnResponse> {
    const kind = onlyReads(request) ? "read" : "write";
    return this.#caller.unary("/etcdserverpb.KV/Txn", request, kind, options);
  }

  compact(request: CompactionRequestInit, options?: CallOptions): Promise<CompactionResponse> {
    return this.#caller.unary("/etcdserverpb.KV/Compact", request, "write", options);
  }
}

function onlyReads(request: TxnRequestInit): boolean {
  const isRead = (op: RequestOpInit): boolean =>
    op.request_range !== undefined || (op.request_txn !== undefined && onlyReads(op.request_txn));
  return (request.success ?? []).every(isRead) && (request.failure ?? []).every(isRead);
}
