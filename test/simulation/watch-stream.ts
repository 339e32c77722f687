/** One Watch call of a simulated client: what the member asks and sends, and a reader that may be slow. */
import {
  decodeWatchResponse,
  type EtcdError,
  encodeWatchResponse,
  ProtoWriter,
  type RequestStream,
  type StreamCall,
  type WatchResponseInit,
  type WatchRequest as WireRequest,
  type WatchResponse as WireResponse,
} from "../../src/api/index.ts";
import type { SeededRandom } from "../disk/seeded-random.ts";
import { CLIENT_CONTEXT } from "./client-call.ts";
import type { SimMember } from "./sim-member.ts";
import type { SimWorld } from "./sim-world.ts";

const QUEUE_RESPONSES_MAX = 4;

export interface StreamListener {
  receive(response: WireResponse): void;
  ended(): void;
}

/** The two halves of one call, as the member sees them. */
export class SimStream implements StreamCall<WatchResponseInit>, RequestStream<WireRequest> {
  readonly context = CLIENT_CONTEXT;
  aborted = false;
  readonly #world: SimWorld;
  readonly #member: SimMember;
  readonly #life: number;
  readonly #random: SeededRandom;
  readonly #stallMsMax: () => number;
  readonly #listener: StreamListener;
  readonly #queue: WireResponse[] = [];
  #queuedBytes = 0;
  #isReading = false;
  #isOver = false;
  #isPaused = false;
  #isFull = false;
  #waiting: WireRequest[] = [];
  #onMessage: (request: WireRequest) => void = () => {};
  #onAbort: () => void = () => {};
  #onDrain: () => void = () => {};

  constructor(
    world: SimWorld,
    member: SimMember,
    random: SeededRandom,
    stallMsMax: () => number,
    listener: StreamListener,
  ) {
    this.#world = world;
    this.#member = member;
    this.#life = member.process.life;
    this.#random = random;
    this.#stallMsMax = stallMsMax;
    this.#listener = listener;
  }

  get queuedBytes(): number {
    return this.#queuedBytes;
  }

  open(first: WireRequest): void {
    this.#waiting.push(first);
    this.#member.process.input(1, () => this.#member.services?.watch.watch(this, this));
    this.#lookAfter();
  }

  askProgress(): void {
    this.#request({ create_request: undefined, cancel_request: undefined, progress_request: {} });
  }

  close(): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#toMember(() => {
      this.aborted = true;
      this.#onAbort();
    });
  }

  // The requests.

  onMessage(listener: (request: WireRequest) => void): void {
    this.#onMessage = listener;
    this.#giveRequests();
  }

  onEnd(): void {}

  pause(): void {
    this.#isPaused = true;
  }

  resume(): void {
    this.#isPaused = false;
    this.#giveRequests();
  }

  // The answers.

  send(response: WatchResponseInit): boolean {
    const writer = new ProtoWriter();
    encodeWatchResponse(writer, response);
    return this.sendEncoded(writer.finish());
  }

  sendEncoded(bytes: Uint8Array): boolean {
    if (this.aborted || this.#isOver) return true;
    this.#queue.push(decodeWatchResponse(bytes));
    this.#queuedBytes += bytes.length;
    this.#read();
    if (this.#queue.length <= QUEUE_RESPONSES_MAX) return true;
    this.#isFull = true;
    return false;
  }

  end(): void {
    this.#endFromMember();
  }

  fail(_error: EtcdError): void {
    this.#endFromMember();
  }

  onDrain(listener: () => void): void {
    this.#onDrain = listener;
  }

  onAbort(listener: () => void): void {
    this.#onAbort = listener;
  }

  /** The client takes one response after the other, sometimes slowly. */
  #read(): void {
    if (this.#isReading) return;
    this.#isReading = true;
    const stallMs = this.#random.chance(0.05) ? this.#random.next() * this.#stallMsMax() : 0;
    this.#world.after(0.5 + stallMs, () => {
      this.#isReading = false;
      const response = this.#queue.shift();
      if (response === undefined || this.#isOver) return;
      this.#listener.receive(response);
      if (this.#queue.length > 0) this.#read();
      else this.#drained();
    });
  }

  #drained(): void {
    this.#toMember(() => {
      this.#queuedBytes = 0;
      if (!this.#isFull) return;
      this.#isFull = false;
      this.#onDrain();
    });
  }

  #request(request: WireRequest): void {
    this.#toMember(() => {
      this.#waiting.push(request);
      this.#giveRequests();
    });
  }

  #giveRequests(): void {
    while (!this.#isPaused && this.#waiting.length > 0) this.#onMessage(this.#waiting.shift()!);
  }

  #toMember(act: () => void): void {
    const { process } = this.#member;
    if (process.life === this.#life) process.input(0.5, act);
  }

  #endFromMember(): void {
    // What was sent before is still read.
    this.#world.after(5, () => this.#endNow());
  }

  /** A broken connection is noticed after a while. */
  #lookAfter(): void {
    this.#world.after(200, () => {
      if (this.#isOver) return;
      if (this.#member.process.life === this.#life) this.#lookAfter();
      else this.#endNow();
    });
  }

  #endNow(): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#listener.ended();
  }
}
