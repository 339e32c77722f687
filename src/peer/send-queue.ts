/**
 * What waits for one peer: two lanes. Small messages (heartbeats, votes, answers to appends, pings) go ahead of bulk
 * (appends, proposals, requests and their answers), so a heartbeat waits for at most what was handed to the socket
 * before. Both lanes keep their order, which matters among appends: one that overtook another would be rejected.
 * Messages wait as raft made them and are encoded when they leave; their entries are shared with the log until then.
 *
 * Bounds: each lane has its own; what does not fit is refused, the newest first. Pure.
 */
import type { Message } from "../raft/index.ts";
import { isBulk, messageBytes } from "./message-codec.ts";

/** A message, or a frame that is encoded already. */
export type Queued = Message | Uint8Array;

export interface SendQueueLimits {
  readonly bulkMessagesMax: number;
  readonly bulkBytesMax: number;
  readonly urgentMessagesMax: number;
}

export class SendQueue {
  readonly #limits: SendQueueLimits;
  readonly #urgent = new Lane();
  readonly #bulk = new Lane();

  constructor(limits: SendQueueLimits) {
    this.#limits = limits;
  }

  get isEmpty(): boolean {
    return this.#urgent.length === 0 && this.#bulk.length === 0;
  }

  get messages(): number {
    return this.#urgent.length + this.#bulk.length;
  }

  get bytes(): number {
    return this.#urgent.bytes + this.#bulk.bytes;
  }

  /** False: there is no room. */
  offer(message: Message): boolean {
    const bytes = messageBytes(message);
    return isBulk(message) ? this.#offerBulk(message, bytes) : this.#offerUrgent(message, bytes);
  }

  offerFrame(frame: Uint8Array, isUrgent: boolean): boolean {
    if (isUrgent) return this.#offerUrgent(frame, frame.length);
    return this.#offerBulk(frame, frame.length);
  }

  /** The next to leave; null when there is none. */
  take(): Queued | null {
    return this.#urgent.take() ?? this.#bulk.take();
  }

  clear(): void {
    this.#urgent.clear();
    this.#bulk.clear();
  }

  #offerUrgent(item: Queued, bytes: number): boolean {
    if (this.#urgent.length >= this.#limits.urgentMessagesMax) return false;
    this.#urgent.push(item, bytes);
    return true;
  }

  /** One that is larger than the whole lane may go when it is alone, or it could never be sent. */
  #offerBulk(item: Queued, bytes: number): boolean {
    const { bulkMessagesMax, bulkBytesMax } = this.#limits;
    const { length, bytes: waiting } = this.#bulk;
    if (length >= bulkMessagesMax || (length > 0 && waiting + bytes > bulkBytesMax)) return false;
    this.#bulk.push(item, bytes);
    return true;
  }
}

/** First in, first out; forgets what left. */
class Lane {
  #items: (Queued | undefined)[] = [];
  #sizes: number[] = [];
  #head = 0;
  bytes = 0;

  get length(): number {
    return this.#items.length - this.#head;
  }

  push(item: Queued, bytes: number): void {
    this.#items.push(item);
    this.#sizes.push(bytes);
    this.bytes += bytes;
  }

  take(): Queued | null {
    if (this.#head === this.#items.length) return null;
    const item = this.#items[this.#head]!;
    this.bytes -= this.#sizes[this.#head]!;
    this.#items[this.#head++] = undefined;
    if (this.#head === this.#items.length) this.clear();
    else if (this.#head >= COMPACT_AT && this.#head * 2 > this.#items.length) this.#compact();
    return item;
  }

  clear(): void {
    this.#items = [];
    this.#sizes = [];
    this.#head = 0;
    this.bytes = 0;
  }

  #compact(): void {
    this.#items = this.#items.slice(this.#head);
    this.#sizes = this.#sizes.slice(this.#head);
    this.#head = 0;
  }
}

const COMPACT_AT = 64;
