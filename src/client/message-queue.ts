/**
 * Messages of a stream as an async iterable, for one reader. Bounded: the stream is paused while more than a
 * few messages wait. What arrives in one read of the socket may still exceed the mark, by no more than that.
 */

import type { EtcdError } from "../api/index.ts";
import { assert } from "../base/assert.ts";

const PAUSE_ABOVE_MESSAGES = 64;
const RESUME_BELOW_MESSAGES = 16;

export interface PausableStream {
  pause(): void;
  resume(): void;
  cancel(): void;
}

export class MessageQueue<Message> implements AsyncIterable<Message> {
  readonly #waiting: Message[] = [];
  #stream: PausableStream | null = null;
  #paused = false;
  #ended = false;
  #error: EtcdError | null = null;
  #wake: (() => void) | null = null;
  #hasReader = false;

  attach(stream: PausableStream): void {
    this.#stream = stream;
  }

  push(message: Message): void {
    if (this.#ended) return;
    this.#waiting.push(message);
    if (!this.#paused && this.#waiting.length > PAUSE_ABOVE_MESSAGES) {
      this.#paused = true;
      this.#stream?.pause();
    }
    this.#wake?.();
  }

  end(error: EtcdError | null): void {
    if (this.#ended) return;
    this.#ended = true;
    this.#error = error;
    this.#wake?.();
  }

  cancel(): void {
    this.#stream?.cancel();
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<Message, void, void> {
    assert(!this.#hasReader, "a message queue has one reader");
    this.#hasReader = true;
    try {
      for (;;) {
        while (this.#waiting.length > 0) {
          const message = this.#waiting.shift()!;
          if (this.#paused && this.#waiting.length < RESUME_BELOW_MESSAGES) {
            this.#paused = false;
            this.#stream?.resume();
          }
          yield message;
        }
        if (this.#error !== null) throw this.#error;
        if (this.#ended) return;
        await new Promise<void>((resolve) => {
          this.#wake = resolve;
        });
        this.#wake = null;
      }
    } finally {
      if (!this.#ended) this.cancel();
    }
  }
}
