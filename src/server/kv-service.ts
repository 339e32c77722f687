/** The KV service: reads are answered from the store, writes go through the log. */
import {
  type CompactionRequest,
  type CompactionResponseInit,
  type DeleteRangeRequest,
  type DeleteRangeResponseInit,
  EtcdError,
  encodeCompactionRequest,
  encodeDeleteRangeRequest,
  encodePutRequest,
  encodeTxnRequest,
  errCompacted,
  type KvService,
  type PutRequest,
  type PutResponseInit,
  type RangeRequest,
  type RangeResponseInit,
  type RangeStreamResponseInit,
  type StreamCall,
  type TxnRequest,
  type TxnResponseInit,
  type UnaryCall,
} from "../api/index.ts";
import type { Store } from "../mvcc/index.ts";
import {
  type ApplyCounters,
  CommandKind,
  checkDeleteRange,
  checkPut,
  checkRange,
  checkTxn,
  executeRange,
  isReadOnlyTxn,
  isSerializableTxn,
  putCost,
  runReadOnly,
  type TxnView,
  txnCost,
} from "../state-machine/index.ts";
import type { Compactor } from "./compactor.ts";
import { keepRange, keepTxn } from "./kept-request.ts";
import type { Proposer } from "./proposer.ts";
import type { QuotaGuard } from "./quota-guard.ts";
import { startRangeStream } from "./range-stream.ts";
import type { Reads } from "./reads.ts";
import type { HeaderFactory } from "./response-header.ts";
import type { SlicedRange } from "./sliced-range.ts";
import type { SlicedTxn } from "./sliced-txn.ts";

export interface KvServiceParts {
  readonly store: Store;
  readonly view: TxnView;
  readonly reads: Reads;
  readonly proposer: Proposer;
  readonly headers: HeaderFactory;
  readonly quota: QuotaGuard;
  readonly compactor: Compactor;
  readonly slicedRange: SlicedRange;
  readonly slicedTxn: SlicedTxn;
  readonly counters: ApplyCounters;
  readonly txnOperationsMax: number;
  readonly requestBytesMax: number;
}

const NO_RECORDS: Uint8Array[] = [];

export class KvServer implements KvService {
  readonly #parts: KvServiceParts;

  constructor(parts: KvServiceParts) {
    this.#parts = parts;
  }

  range(request: RangeRequest, call: UnaryCall<RangeResponseInit>): void {
    const problem = checkRange(request);
    if (problem !== null) {
      call.fail(problem);
      return;
    }
    if (request.serializable || this.#parts.reads.isReady()) {
      this.#serveRange(request, call);
      return;
    }
    keepRange(request);
    this.#parts.reads.wait((failure) => {
      if (failure !== null) call.fail(failure);
      else this.#serveRange(request, call);
    });
  }

  #serveRange(request: RangeRequest, call: UnaryCall<RangeResponseInit>): void {
    const { store, headers, view, slicedRange, counters } = this.#parts;
    counters.ranges++;
    if (isPlainGet(request)) {
      const record = store.getRecord(request.key);
      call.succeed({
        header: headers.header(store.revision()),
        kvs: record === undefined ? NO_RECORDS : [record],
        more: false,
        count: record === undefined ? 0 : 1,
      });
      return;
    }
    if (slicedRange.isLong(request)) {
      slicedRange.start(request, call);
      return;
    }
    const response = executeRange(view, request);
    if (response instanceof EtcdError) {
      call.fail(response);
      return;
    }
    response.header = headers.header(store.revision());
    call.succeed(response);
  }

  rangeStream(request: RangeRequest, call: StreamCall<RangeStreamResponseInit>): void {
    const problem = checkRange(request);
    if (problem !== null) {
      call.fail(problem);
      return;
    }
    const start = () => startRangeStream(this.#parts, request, call);
    if (request.serializable || this.#parts.reads.isReady()) {
      start();
      return;
    }
    keepRange(request);
    this.#parts.reads.wait((failure) => {
      if (failure !== null) call.fail(failure);
      else start();
    });
  }

  put(request: PutRequest, call: UnaryCall<PutResponseInit>): void {
    const { quota, proposer } = this.#parts;
    const problem = quota.refuse(putCost(request)) ?? checkPut(request);
    if (problem !== null) call.fail(problem);
    else proposer.propose(CommandKind.put, encodePutRequest, request, call);
  }

  deleteRange(request: DeleteRangeRequest, call: UnaryCall<DeleteRangeResponseInit>): void {
    const problem = checkDeleteRange(request);
    if (problem !== null) call.fail(problem);
    else {
      this.#parts.proposer.propose(
        CommandKind.deleteRange,
        encodeDeleteRangeRequest,
        request,
        call,
      );
    }
  }

  txn(request: TxnRequest, call: UnaryCall<TxnResponseInit>): void {
    const { quota, proposer, txnOperationsMax } = this.#parts;
    const problem = quota.refuse(txnCost(request)) ?? checkTxn(request, txnOperationsMax);
    if (problem !== null) {
      call.fail(problem);
    } else if (isReadOnlyTxn(request)) {
      this.#readTxn(request, call);
    } else {
      proposer.propose(CommandKind.txn, encodeTxnRequest, request, call);
    }
  }

  #readTxn(request: TxnRequest, call: UnaryCall<TxnResponseInit>): void {
    const { reads } = this.#parts;
    if (isSerializableTxn(request) || reads.isReady()) {
      this.#serveTxn(request, call);
      return;
    }
    const kept = keepTxn(request);
    reads.wait((failure) => {
      if (failure !== null) call.fail(failure);
      else this.#serveTxn(kept, call);
    });
  }

  #serveTxn(request: TxnRequest, call: UnaryCall<TxnResponseInit>): void {
    const { store, view, headers, slicedTxn } = this.#parts;
    if (slicedTxn.isLong(request)) {
      slicedTxn.start(request, call);
      return;
    }
    const response = runReadOnly(view, request);
    if (response instanceof EtcdError) {
      call.fail(response);
      return;
    }
    response.header = headers.header(store.revision());
    call.succeed(response);
  }

  compact(request: CompactionRequest, call: UnaryCall<CompactionResponseInit>): void {
    const { store, proposer, compactor } = this.#parts;
    // Refused before the log too, so that a mistaken loop of requests writes nothing. A revision that is in the
    // future here may be past elsewhere: only the log can tell.
    if (request.revision <= store.compactRevision()) {
      call.fail(errCompacted);
      return;
    }
    const waiter = request.physical ? compactor.afterPhysical(call) : call;
    proposer.propose(CommandKind.compaction, encodeCompactionRequest, request, waiter);
  }
}

/** A read of one key at the newest revision, with nothing else asked: the bulk of all reads. */
function isPlainGet(request: RangeRequest): boolean {
  return (
    request.range_end.length === 0 &&
    request.revision <= 0 &&
    !request.count_only &&
    !request.keys_only &&
    request.min_mod_revision === 0 &&
    request.max_mod_revision === 0 &&
    request.min_create_revision === 0 &&
    request.max_create_revision === 0
  );
}
