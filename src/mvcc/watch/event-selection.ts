/**
 * The events of one response, shared by all watchers that see the same events in the same way.
 *
 * While a batch is matched, every watcher walks a tree: seeing one more event moves it from its selection to
 * the selection "that plus this event". Watchers that saw the same events are then at the same node, so what
 * they are sent is encoded once, without comparing lists. An event is encoded at most twice, with and without
 * prev_kv, however many selections it is in.
 */
import { assert } from "../../base/assert.ts";
import type { ChangeEvent, ChangeSource } from "../types.ts";

/** One event with its encodings as `events` field (11) of a WatchResponse; made when first needed. */
export class SharedEvent {
  readonly event: ChangeEvent;
  #plain: Uint8Array | null = null;
  #withPrevious: Uint8Array | null = null;

  constructor(event: ChangeEvent) {
    this.event = event;
  }

  field(source: ChangeSource, withPrevious: boolean): Uint8Array {
    const { event } = this;
    if (withPrevious) {
      if (this.#withPrevious !== null) return this.#withPrevious;
      // A creation has nothing before it; a compacted record is left out (etcd does the same).
      const before = event.created ? undefined : source.recordAt(event.key, event.revision - 1);
      if (before !== undefined) {
        this.#withPrevious = encodeEventField(event.type, event.kv, before);
        return this.#withPrevious;
      }
      this.#withPrevious = this.field(source, false);
      return this.#withPrevious;
    }
    this.#plain ??= encodeEventField(event.type, event.kv, null);
    return this.#plain;
  }
}

export class EventSelection {
  /** Whether the events come with prev_kv. */
  readonly withPrevious: boolean;
  readonly eventCount: number;
  /** Room for whoever makes responses of it, to keep what watchers can share; the hub never looks. */
  shared: object | null = null;
  readonly #source: ChangeSource;
  readonly #parent: EventSelection | null;
  readonly #last: SharedEvent | null;
  /** The selection with one event more. Events come in order, so only the newest child is asked for again. */
  #child: EventSelection | null = null;
  #fields: readonly Uint8Array[] | null = null;

  private constructor(
    source: ChangeSource,
    withPrevious: boolean,
    parent: EventSelection | null,
    last: SharedEvent | null,
  ) {
    this.#source = source;
    this.withPrevious = withPrevious;
    this.#parent = parent;
    this.#last = last;
    this.eventCount = parent === null ? 0 : parent.eventCount + 1;
  }

  static empty(source: ChangeSource, withPrevious: boolean): EventSelection {
    return new EventSelection(source, withPrevious, null, null);
  }

  plus(event: SharedEvent): EventSelection {
    if (this.#child === null || this.#child.#last !== event) {
      this.#child = new EventSelection(this.#source, this.withPrevious, this, event);
    }
    return this.#child;
  }

  /** The encoded `events` fields in order; they form the tail of a WatchResponse. */
  fields(): readonly Uint8Array[] {
    if (this.#fields !== null) return this.#fields;
    const fields: Uint8Array[] = new Array(this.eventCount);
    let node: EventSelection = this;
    for (let at = this.eventCount - 1; at >= 0; at--) {
      assert(node.#last !== null && node.#parent !== null, "a selection lost its events");
      fields[at] = node.#last.field(this.#source, this.withPrevious);
      node = node.#parent;
    }
    this.#fields = fields;
    return fields;
  }
}

const EVENTS_TAG = 90;
const TYPE_TAG = 8;
const KV_TAG = 18;
const PREV_KV_TAG = 26;

function encodeEventField(type: number, kv: Uint8Array, before: Uint8Array | null): Uint8Array {
  let body = (type === 0 ? 0 : 2) + 1 + varintBytes(kv.length) + kv.length;
  if (before !== null) body += 1 + varintBytes(before.length) + before.length;
  const field = new Uint8Array(1 + varintBytes(body) + body);
  let at = writeLength(field, 0, EVENTS_TAG, body);
  if (type !== 0) {
    field[at++] = TYPE_TAG;
    field[at++] = type;
  }
  at = writeLength(field, at, KV_TAG, kv.length);
  field.set(kv, at);
  if (before !== null) {
    at = writeLength(field, at + kv.length, PREV_KV_TAG, before.length);
    field.set(before, at);
  }
  return field;
}

function varintBytes(value: number): number {
  let bytes = 1;
  while (value > 0x7f) {
    value >>>= 7;
    bytes++;
  }
  return bytes;
}

/** Writes a tag and a length; returns where the body starts. */
function writeLength(target: Uint8Array, at: number, tag: number, length: number): number {
  target[at++] = tag;
  while (length > 0x7f) {
    target[at++] = (length & 0x7f) | 0x80;
    length >>>= 7;
  }
  target[at++] = length;
  return at;
}
