/**
 * Header sections of one connection: joins HEADERS with its CONTINUATION frames, decodes, and remembers the
 * last few blocks. Clients repeat themselves: while the dynamic table stands still, equal bytes are equal
 * headers, and the finished head is found by comparing a few dozen bytes.
 */
import { HeaderList, HpackDecoder, HpackResult } from "./hpack-decoder.ts";
import type { Http2Limits } from "./limits.ts";
import { type RequestHead, requestHeadOf } from "./request-head.ts";

const REMEMBERED_BLOCKS = 8;
const REMEMBERED_BYTES_MAX = 512;

interface RememberedBlock {
  readonly bytes: Buffer;
  readonly generation: number;
  readonly head: RequestHead;
}

export class HeaderSections {
  /** HpackResult of the last decoding; anything but Ok ends the connection. */
  result: number = HpackResult.Ok;
  /** The last list was over the limit. */
  truncated = false;
  /** Stream whose block is being continued, or 0. */
  openStreamId = 0;
  openEndStream = false;
  readonly #decoder: HpackDecoder;
  readonly #limits: Http2Limits;
  readonly #remembered: RememberedBlock[] = [];
  #nextSlot = 0;
  #fragments: Buffer[] = [];
  #fragmentBytes = 0;

  constructor(limits: Http2Limits) {
    this.#limits = limits;
    this.#decoder = new HpackDecoder(limits.headerTableBytesMax, limits.headerListBytesMax);
  }

  /** Begins a block that needs CONTINUATION frames. False when it is already too large. */
  open(streamId: number, endStream: boolean, bytes: Buffer, start: number, end: number): boolean {
    this.openStreamId = streamId;
    this.openEndStream = endStream;
    this.#fragments = [];
    this.#fragmentBytes = 0;
    return this.continue(bytes, start, end);
  }

  /** Adds a fragment; false when the block grows beyond what we take. */
  continue(bytes: Buffer, start: number, end: number): boolean {
    // A copy: the view would keep the whole chunk alive for as long as the peer dawdles.
    this.#fragments.push(Buffer.from(bytes.subarray(start, end)));
    this.#fragmentBytes += end - start;
    return (
      this.#fragmentBytes <= this.#limits.headerBlockBytesMax &&
      this.#fragments.length <= this.#limits.continuationFramesMax
    );
  }

  /** The block that open() and continue() collected. */
  close(): Buffer {
    const block = Buffer.concat(this.#fragments);
    this.#fragments = [];
    this.openStreamId = 0;
    return block;
  }

  /** A request's head, or what is wrong with it. Look at `result` first. */
  request(bytes: Buffer, start: number, end: number): RequestHead | string {
    const generation = this.#decoder.generation;
    const length = end - start;
    for (let i = 0; i < this.#remembered.length; i++) {
      const block = this.#remembered[i]!;
      if (block.generation !== generation || block.bytes.length !== length) continue;
      if (sameBytes(block.bytes, bytes, start, length)) {
        this.result = HpackResult.Ok;
        this.truncated = false;
        return block.head;
      }
    }
    const list = this.#decode(bytes, start, end);
    if (this.result !== HpackResult.Ok || this.truncated) return "header list too large";
    const head = requestHeadOf(list.fields);
    if (
      typeof head !== "string" &&
      generation === this.#decoder.generation &&
      length <= REMEMBERED_BYTES_MAX
    ) {
      const copy = Buffer.from(bytes.subarray(start, end));
      this.#remembered[this.#nextSlot] = { bytes: copy, generation, head };
      this.#nextSlot = (this.#nextSlot + 1) % REMEMBERED_BLOCKS;
    }
    return head;
  }

  /** Trailers, or any block whose stream is gone: decoded all the same, or the table would fall out of step. */
  other(bytes: Buffer, start: number, end: number): readonly string[] {
    return this.#decode(bytes, start, end).fields;
  }

  #decode(bytes: Buffer, start: number, end: number): HeaderList {
    const list = new HeaderList();
    this.result = this.#decoder.decode(bytes, start, end, list);
    this.truncated = list.truncated;
    return list;
  }
}

function sameBytes(known: Buffer, bytes: Buffer, start: number, length: number): boolean {
  for (let i = 0; i < length; i++) {
    if (known[i] !== bytes[start + i]) return false;
  }
  return true;
}
