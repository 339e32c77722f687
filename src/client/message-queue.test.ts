import { expect, test } from "bun:test";
import fc from "fast-check";
import { EtcdError } from "../api/index.ts";
import { MessageQueue } from "./message-queue.ts";

/** A sender that has `count` numbers to send and sends them one by one while it is not paused. */
class Sender {
  sent = 0;
  paused = false;
  canceled = false;
  readonly #queue: MessageQueue<number>;
  readonly #count: number;

  constructor(queue: MessageQueue<number>, count: number) {
    this.#queue = queue;
    this.#count = count;
  }

  pause(): void {
    this.paused = true;
  }

  resume(): void {
    this.paused = false;
  }

  cancel(): void {
    this.canceled = true;
  }

  /** Sends up to `burst` numbers, as one read of a socket would bring them. */
  run(burst: number): void {
    for (let i = 0; i < burst && !this.paused && this.sent < this.#count; i++) {
      this.#queue.push(this.sent++);
    }
    if (this.sent === this.#count) this.#queue.end(null);
  }
}

test("MessageQueue loses nothing and stops a sender that is too fast", async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.nat({ max: 500 }),
      fc.integer({ min: 1, max: 200 }),
      async (count, burst) => {
        const queue = new MessageQueue<number>();
        const sender = new Sender(queue, count);
        queue.attach(sender);
        sender.run(burst);
        const received: number[] = [];
        for await (const number of queue) {
          received.push(number);
          expect(sender.sent - received.length).toBeLessThanOrEqual(65);
          sender.run(burst);
        }
        expect(received).toEqual(Array.from({ length: count }, (_, i) => i));
      },
    ),
  );
});

test("MessageQueue gives what came before an error, then the error", async () => {
  const queue = new MessageQueue<number>();
  queue.push(1);
  queue.end(new EtcdError(14, "gone"));
  queue.push(2);
  const received: number[] = [];
  const reading = (async () => {
    for await (const number of queue) received.push(number);
  })();
  await expect(reading).rejects.toMatchObject({ code: 14 });
  expect(received).toEqual([1]);
});

test("leaving the loop cancels the stream", async () => {
  const queue = new MessageQueue<number>();
  const sender = new Sender(queue, 10);
  queue.attach(sender);
  sender.run(5);
  for await (const _ of queue) break;
  expect(sender.canceled).toBe(true);
});
