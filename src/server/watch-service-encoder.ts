/**
 * Assembles event responses: a small head (header and watch id) in front of event fields that the hub encoded
 * once for everybody. Watchers with the same id that see the same events, the usual case when many clients
 * watch one key on a stream each, share the whole message.
 */
import { encodeResponseHeader, ProtoWriter, type ResponseHeaderInit } from "../api/index.ts";
import type { EventSelection } from "../mvcc/watch/index.ts";

/** Whole messages kept per selection; ids beyond are assembled again. */
const SHARED_MESSAGES_MAX = 64;

const HEADER_TAG = 10;
const WATCH_ID_TAG = 16;
const FRAGMENT_TAG = 56;
const FRAGMENT_BYTES = 2;

/** What watchers of one selection can share under one header. */
class SharedParts {
  readonly revision: number;
  /** The header field. */
  readonly header: Uint8Array;
  readonly fields: readonly Uint8Array[];
  readonly fieldsBytes: number;
  readonly messages = new Map<number, Uint8Array>();

  constructor(revision: number, header: Uint8Array, fields: readonly Uint8Array[]) {
    this.revision = revision;
    this.header = header;
    this.fields = fields;
    let bytes = 0;
    for (const field of fields) bytes += field.length;
    this.fieldsBytes = bytes;
  }
}

export class WatchResponseEncoder {
  readonly #header: (revision: number) => ResponseHeaderInit;
  readonly #head = new ProtoWriter(64);

  constructor(header: (revision: number) => ResponseHeaderInit) {
    this.#header = header;
  }

  /** All events in one message. */
  whole(watchId: number, events: EventSelection, revision: number): Uint8Array {
    const parts = this.#parts(events, revision);
    const known = parts.messages.get(watchId);
    if (known !== undefined) return known;
    this.#writeHead(parts, watchId);
    const message = this.#join(parts.fields, 0, parts.fields.length, parts.fieldsBytes);
    if (parts.messages.size < SHARED_MESSAGES_MAX) parts.messages.set(watchId, message);
    return message;
  }

  /**
   * Messages that stay below `bytesMax` where they can (an event is never cut), `fragment` set on all but the
   * last. A response that fits, or has one event, is the whole one.
   */
  fragments(
    watchId: number,
    events: EventSelection,
    revision: number,
    bytesMax: number,
  ): Uint8Array[] {
    const parts = this.#parts(events, revision);
    const { fields } = parts;
    const headBytes = this.#writeHead(parts, watchId);
    if (headBytes + parts.fieldsBytes < bytesMax || fields.length < 2) {
      return [this.whole(watchId, events, revision)];
    }
    const messages: Uint8Array[] = [];
    for (let from = 0; from < fields.length; ) {
      let to = from + 1;
      let bytes = fields[from]!.length;
      while (to < fields.length) {
        const more = bytes + fields[to]!.length;
        if (headBytes + FRAGMENT_BYTES + more >= bytesMax) break;
        bytes = more;
        to++;
      }
      this.#writeHead(parts, watchId);
      if (to < fields.length) {
        this.#head.varint32(FRAGMENT_TAG);
        this.#head.varint32(1);
      }
      messages.push(this.#join(fields, from, to, bytes));
      from = to;
    }
    return messages;
  }

  #parts(events: EventSelection, revision: number): SharedParts {
    const known = events.shared;
    if (known instanceof SharedParts && known.revision === revision) return known;
    const head = this.#head;
    head.reset();
    head.varint32(HEADER_TAG);
    const at = head.beginNested();
    encodeResponseHeader(head, this.#header(revision));
    head.endNested(at);
    const parts = new SharedParts(revision, head.finish(), events.fields());
    events.shared = parts;
    return parts;
  }

  /** Leaves header and id in the scratch writer; returns their size. */
  #writeHead(parts: SharedParts, watchId: number): number {
    const head = this.#head;
    head.reset();
    head.raw(parts.header);
    if (watchId !== 0) {
      head.varint32(WATCH_ID_TAG);
      head.int64(watchId);
    }
    return head.position;
  }

  #join(fields: readonly Uint8Array[], from: number, to: number, fieldsBytes: number): Uint8Array {
    const headBytes = this.#head.position;
    const message = new Uint8Array(headBytes + fieldsBytes);
    const head = this.#head.bytes;
    for (let i = 0; i < headBytes; i++) message[i] = head[i]!;
    let at = headBytes;
    for (let i = from; i < to; i++) {
      message.set(fields[i]!, at);
      at += fields[i]!.length;
    }
    return message;
  }
}
