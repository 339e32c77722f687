/**
 * RangeStream (etcd 3.7): a long range in chunks at one pinned revision. Only the last message has the header, more
 * and count; merging all messages gives the unary answer. Chunks adapt to their size in bytes, and the next one is
 * read only when the client took the last.
 */
import {
  errRangeStreamFilter,
  errRangeStreamSort,
  type RangeRequest,
  type RangeStreamResponseInit,
  type ResponseHeaderInit,
  RangeRequestSortOrder as SortOrder,
  type StreamCall,
} from "../api/index.ts";
import { copyBytes } from "../base/bytes.ts";
import type { Store } from "../mvcc/index.ts";
import { errorOfRevision, keyAfter, type TxnView } from "../state-machine/index.ts";
import type { HeaderFactory } from "./response-header.ts";

const FIRST_CHUNK_COUNT = 10;

export interface RangeStreamParts {
  readonly store: Store;
  readonly view: TxnView;
  readonly headers: HeaderFactory;
  readonly requestBytesMax: number;
}

export function startRangeStream(
  parts: RangeStreamParts,
  request: RangeRequest,
  call: StreamCall<RangeStreamResponseInit>,
): void {
  const filters =
    request.min_mod_revision !== 0 ||
    request.max_mod_revision !== 0 ||
    request.min_create_revision !== 0 ||
    request.max_create_revision !== 0;
  if (request.sort_order !== SortOrder.NONE) {
    call.fail(errRangeStreamSort);
  } else if (filters) {
    call.fail(errRangeStreamFilter);
  } else {
    new RangeStreaming(parts, request, call).run();
  }
}

class RangeStreaming {
  readonly #parts: RangeStreamParts;
  readonly #request: RangeRequest;
  readonly #call: StreamCall<RangeStreamResponseInit>;
  readonly #header: ResponseHeaderInit;
  readonly #revision: number;
  readonly #rangeEnd: Uint8Array;
  readonly #limit: number;
  #nextKey: Uint8Array;
  #sentCount = 0;
  #chunkCount = FIRST_CHUNK_COUNT;
  #total = -1;

  constructor(
    parts: RangeStreamParts,
    request: RangeRequest,
    call: StreamCall<RangeStreamResponseInit>,
  ) {
    this.#parts = parts;
    this.#request = request;
    this.#call = call;
    this.#header = parts.headers.header(parts.store.revision());
    this.#revision = request.revision > 0 ? request.revision : parts.store.revision();
    this.#nextKey = copyBytes(request.key);
    this.#rangeEnd = copyBytes(request.range_end);
    this.#limit = Math.max(request.limit, 0);
  }

  /** Sends chunks until the client is behind or everything is sent. */
  run(): void {
    while (!this.#call.aborted) {
      const chunk = this.#read();
      if (chunk === null) return;
      const accepted = this.#call.send(chunk.message);
      if (chunk.last) {
        this.#call.end();
        return;
      }
      if (!accepted) {
        this.#call.onDrain(() => this.run());
        return;
      }
    }
  }

  #read(): { message: RangeStreamResponseInit; last: boolean } | null {
    const left = this.#limit === 0 ? Infinity : this.#limit - this.#sentCount;
    const wanted = Math.min(this.#chunkCount, left);
    const page = this.#parts.view.range(this.#nextKey, this.#rangeEnd, {
      revision: this.#revision,
      limit: wanted,
      countOnly: this.#request.count_only,
      keysOnly: this.#request.keys_only,
    });
    if (typeof page === "string") {
      this.#call.fail(errorOfRevision(page));
      return null;
    }
    if (this.#total < 0) this.#total = page.count;
    this.#sentCount += page.kvs.length;
    const last =
      this.#request.count_only || page.kvs.length >= page.count || this.#sentCount === this.#limit;
    if (!last) {
      this.#nextKey = keyAfter(page.kvs.at(-1)!);
      this.#adapt(page.kvs);
      return { message: { range_response: { kvs: page.kvs } }, last };
    }
    const more = !this.#request.count_only && this.#sentCount < this.#total;
    const end = { header: this.#header, kvs: page.kvs, more, count: this.#total };
    return { message: { range_response: end }, last };
  }

  /** Chunks of half to twice the request limit: few round trips, bounded memory. */
  #adapt(kvs: readonly Uint8Array[]): void {
    let bytes = 0;
    for (const kv of kvs) bytes += kv.length;
    if (bytes * 2 < this.#parts.requestBytesMax) this.#chunkCount *= 2;
    else if (bytes > 2 * this.#parts.requestBytesMax) {
      this.#chunkCount = Math.max(1, Math.floor(this.#chunkCount / 2));
    }
  }
}
