/**
 * A client that watches, and never wants to miss anything: when its stream ends it goes on from behind the last
 * thing it saw, on any member. Now and then it reads slowly, so that the member has to wait for it.
 */
import type {
  WatchRequest as WireRequest,
  WatchResponse as WireResponse,
} from "../../src/api/index.ts";
import { latin1Bytes } from "../../src/base/bytes.ts";
import type { SeededRandom } from "../disk/seeded-random.ts";
import type {
  RecordedWatch,
  WatchedEvent,
  WatchRequest,
  WatchResponse,
} from "./checkers/watch-checks.ts";
import type { Recorder } from "./recorder.ts";
import type { SimCluster } from "./sim-cluster.ts";
import type { SimMember } from "./sim-member.ts";
import type { SimWorld } from "./sim-world.ts";
import { SimStream } from "./watch-stream.ts";
import { keyValueOf } from "./wire.ts";

const REOPEN_MS_MAX = 300;

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
