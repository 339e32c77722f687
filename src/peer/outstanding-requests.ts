/**
 * Requests that wait for their answer on one outgoing connection, and how requests and answers look on the wire:
 *
 *   request  id 4, name length 1, name (latin1), body
 *   answer   id 4, status 4, body
 *
 * Each request is answered once: by the other member, by its deadline, or by the end of the connection. Deadlines are
 * looked at by whoever owns the table, not by a timer each.
 */
import { latin1Bytes, latin1Text } from "../base/bytes.ts";
import { BodyReader, FRAME_ANSWER, FRAME_REQUEST, FrameWriter } from "./frame.ts";
import type { PeerAnswer } from "./types.ts";

export const REQUEST_NAME_MAX = 64;

interface Waiting {
  readonly deadlineMs: number;
  readonly done: (answer: PeerAnswer | null) => void;
}

export class OutstandingRequests {
  readonly #countMax: number;
  readonly #waiting = new Map<number, Waiting>();
  #lastId = 0;

  constructor(countMax: number) {
    this.#countMax = countMax;
  }

  get count(): number {
    return this.#waiting.size;
  }

  get isFull(): boolean {
    return this.#waiting.size >= this.#countMax;
  }

  /** Registers and returns the id. */
  add(deadlineMs: number, done: (answer: PeerAnswer | null) => void): number {
    this.#lastId = (this.#lastId + 1) >>> 0;
    this.#waiting.set(this.#lastId, { deadlineMs, done });
    return this.#lastId;
  }

  /** An answer that nobody waits for any more is dropped. */
  answer(id: number, answer: PeerAnswer | null): void {
    const waiting = this.#waiting.get(id);
    if (waiting === undefined) return;
    this.#waiting.delete(id);
    waiting.done(answer);
  }

  expire(nowMs: number): void {
    for (const [id, { deadlineMs }] of [...this.#waiting]) {
      if (deadlineMs <= nowMs) this.answer(id, null);
    }
  }

  failAll(): void {
    for (const id of [...this.#waiting.keys()]) this.answer(id, null);
  }

  forget(id: number): void {
    this.#waiting.delete(id);
  }

  /** Nobody is told. */
  forgetAll(): void {
    this.#waiting.clear();
  }
}

export function requestFrame(id: number, name: string, body: Uint8Array): Uint8Array {
  const writer = new FrameWriter(32 + name.length + body.length);
  writer.begin(FRAME_REQUEST);
  writer.uint32(id);
  writer.uint8(name.length);
  writer.put(latin1Bytes(name));
  writer.put(body);
  writer.finish();
  return writer.done();
}

export interface ReadRequest {
  readonly id: number;
  readonly name: string;
  readonly body: Uint8Array;
}

export function readRequest(bytes: Uint8Array): ReadRequest | null {
  const reader = new BodyReader(bytes);
  const id = reader.uint32();
  const nameLength = reader.uint8();
  if (!reader.isWhole || nameLength > REQUEST_NAME_MAX) return null;
  const name = latin1Text(reader.take(nameLength));
  const body = reader.rest();
  return reader.isAtEnd ? { id, name, body } : null;
}

export function answerFrame(id: number, answer: PeerAnswer): Uint8Array {
  const writer = new FrameWriter(32 + answer.body.length);
  writer.begin(FRAME_ANSWER);
  writer.uint32(id);
  writer.uint32(answer.status);
  writer.put(answer.body);
  writer.finish();
  return writer.done();
}

export function readAnswer(bytes: Uint8Array): { id: number; answer: PeerAnswer } | null {
  const reader = new BodyReader(bytes);
  const id = reader.uint32();
  const status = reader.uint32();
  const body = reader.rest();
  return reader.isAtEnd ? { id, answer: { status, body } } : null;
}
