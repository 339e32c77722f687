/**
 * A client that watches, and never wants to miss anything: when its stream ends it goes on from behind the last
 * thing it saw, on any member. Now and then it reads slowly, so that the member has to wait for it.
 */
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
import { latin1Bytes } from "../../src/base/bytes.ts";
import type { SeededRandom } from "../disk/seeded-random.ts";
import type {
  RecordedWatch,
  WatchedEvent,
  WatchRequest,
  WatchResponse,
} from "./checkers/watch-checks.ts";
import { CLIENT_CONTEXT } from "./client-call.ts";
import type { Recorder } from "./recorder.ts";
import type { SimCluster } from "./sim-cluster.ts";
import type { SimMember } from "./sim-member.ts";
import type { SimWorld } from "./sim-world.ts";
import { keyValueOf } from "./wire.ts";

const REOPEN_MS_MAX = 300;
const QUEUE_RESPONSES_MAX = 4;

interface OpenWatch {
  readonly request: WatchRequest;
  createdRevision: number;
  readonly responses: WatchResponse[];
}

export interface WatcherOptions {
  /** How long it stops reading, at most; 0: never. */
  readonly stallMsMax: number;
  readonly progress: boolean;
  readonly previous: boolean;
  /** Chance that it ends a stream by itself after a response. */
  readonly leaveChance: number;
  /** The last compaction that anybody knows of. */
  readonly compactRevision: () => number;
}

export class SimWatcher {
  readonly name: string;
  readonly #world: SimWorld;
  readonly #cluster: SimCluster;
  readonly #recorder: Recorder;
  readonly #random: SeededRandom;
  readonly #options: WatcherOptions;
  readonly #range: { readonly key: string; readonly rangeEnd: string };
  #watch: OpenWatch | null = null;
  #stream: SimStream | null = null;
  #nextRevision = 0;
  #streams = 0;
  #isStopped = false;
  #isHurrying = false;
  /** Everything up to here was received. */
  seenRevision = 0;

  constructor(
    parts: { world: SimWorld; cluster: SimCluster; recorder: Recorder },
    name: string,
    range: { key: string; rangeEnd: string },
    options: WatcherOptions,
  ) {
    this.name = name;
    this.#world = parts.world;
    this.#cluster = parts.cluster;
    this.#recorder = parts.recorder;
    this.#random = parts.world.random(`watcher ${name}`);
    this.#range = range;
    this.#options = options;
  }

  /** From that revision on (0: from now on), on that member or any. */
  start(revision = 0, member: SimMember | null = null): void {
    this.#nextRevision = revision;
    this.#open(member);
  }

  stop(): void {
    this.#isStopped = true;
    this.#leave();
  }

  /** From now on it reads as fast as it can. */
  hurry(): void {
    this.#isHurrying = true;
  }

  /** Whether it has everything up to a revision, or asked for later ones only. */
  isThrough(revision: number): boolean {
    if (this.seenRevision >= revision) return true;
    return this.#watch !== null && this.#watch.request.startRevision > revision;
  }

  get stallMsMax(): number {
    return this.#isHurrying ? 0 : this.#options.stallMsMax;
  }

  #open(wanted: SimMember | null): void {
    if (this.#isStopped) return;
    const members = this.#cluster.serving();
    const member = wanted ?? members[this.#random.below(members.length)];
    if (member?.services == null) {
      this.#reopen();
      return;
    }
    const filters = this.#random.chance(0.1) ? (["no-delete"] as const) : [];
    const startRevision = this.#startRevision();
    const request = { ...this.#range, startRevision, previous: this.#options.previous, filters };
    this.#watch = { request, createdRevision: -1, responses: [] };
    this.#streams++;
    const stream = new SimStream(this.#world, member, this.#random, () => this.stallMsMax, {
      receive: (response) => this.#stream === stream && this.#receive(response),
      ended: () => this.#stream === stream && this.#ended(),
    });
    this.#stream = stream;
    stream.open(createRequest(request, this.#options.progress));
    this.#world.note(`watcher ${this.name} on ${member.name} from ${startRevision}`);
  }

  /**
   * Mostly behind what was seen; sometimes a little in the future, to be told nothing before; sometimes exactly where
   * the store was compacted, which is the oldest that may be asked for.
   */
  #startRevision(): number {
    if (this.#streams === 0 || this.#isHurrying) return this.#nextRevision;
    if (this.#random.chance(0.12)) return this.seenRevision + 1 + this.#random.below(40);
    const compacted = this.#options.compactRevision();
    if (compacted > 0 && this.#random.chance(0.25)) return compacted;
    return this.#nextRevision;
  }

  #receive(response: WireResponse): void {
    const watch = this.#watch!;
    const revision = Number(response.header?.revision ?? 0);
    if (response.created && !response.canceled) {
      watch.createdRevision = revision;
      if (watch.request.startRevision === 0) this.#saw(revision);
      return;
    }
    if (response.canceled) {
      watch.responses.push({ kind: "canceled", compactRevision: response.compact_revision });
      this.#nextRevision = Math.max(this.#nextRevision, response.compact_revision);
      this.#leave();
      return;
    }
    if (response.events.length === 0) {
      watch.responses.push({ kind: "progress", revision });
      this.#saw(revision);
    } else {
      const events = response.events.map(
        (event): WatchedEvent => ({
          kind: event.type === 0 ? "put" : "delete",
          keyValue: keyValueOf(event.kv!),
          previous: event.prev_kv === undefined ? null : keyValueOf(event.prev_kv),
        }),
      );
      watch.responses.push({ kind: "events", revision, events, fragment: response.fragment });
      if (!response.fragment) this.#saw(events.at(-1)!.keyValue.modRevision);
    }
    if (this.#random.chance(this.#options.leaveChance)) this.#leave();
    else if (this.#options.progress && this.#random.chance(0.1)) this.#stream?.askProgress();
  }

  #saw(revision: number): void {
    this.seenRevision = Math.max(this.seenRevision, revision);
    this.#nextRevision = Math.max(this.#nextRevision, revision + 1);
  }

  #leave(): void {
    this.#stream?.close();
    this.#ended();
  }

  #ended(): void {
    this.#stream = null;
    const watch = this.#watch;
    this.#watch = null;
    if (watch !== null && watch.createdRevision >= 0) {
      const { request, createdRevision, responses } = watch;
      const name = `${this.name}.${this.#streams}`;
      this.#recorder.watches.push({
        name,
        request,
        createdRevision,
        responses,
      } satisfies RecordedWatch);
    }
    this.#reopen();
  }

  #reopen(): void {
    if (this.#isStopped) return;
    this.#world.after(this.#random.next() * REOPEN_MS_MAX, () => {
      if (this.#stream === null) this.#open(null);
    });
  }
}

function createRequest(request: WatchRequest, progress: boolean): WireRequest {
  return {
    create_request: {
      key: latin1Bytes(request.key),
      range_end: latin1Bytes(request.rangeEnd),
      start_revision: request.startRevision,
      progress_notify: progress,
      filters: request.filters.map((each) => (each === "no-put" ? 0 : 1)),
      prev_kv: request.previous,
      watch_id: 0,
      fragment: false,
    },
    cancel_request: undefined,
    progress_request: undefined,
  };
}

interface StreamListener {
  receive(response: WireResponse): void;
  ended(): void;
}

/** The two halves of one call, as the member sees them. */
class SimStream implements StreamCall<WatchResponseInit>, RequestStream<WireRequest> {
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
