/** One watcher of one stream, and the port through which its stream is told. */
import type { EventSelection } from "./event-selection.ts";
import type { WatchStream } from "./watch-stream.ts";
import type { WatcherBucket } from "./watcher-group.ts";

/** What a client asked for. */
export interface WatcherRequest {
  readonly key: Uint8Array;
  /** Empty for the one key, the byte 0x00 for everything from `key` on, else the exclusive end. */
  readonly rangeEnd: Uint8Array;
  /** 0 for "from now on"; beyond the current revision: nothing before it. */
  readonly startRevision: number;
  /** 0 lets the stream choose. */
  readonly id: number;
  readonly dropPuts: boolean;
  readonly dropDeletes: boolean;
  readonly withPrevious: boolean;
  /** Large responses may be split; the sink does it. */
  readonly fragment: boolean;
  /** Wants to hear now and then how far it got; the sink's owner keeps the interval. */
  readonly progressNotify: boolean;
}

/**
 * Where a watcher stands. synced: it has everything up to the hub's revision and gets changes as they happen.
 * catching-up: it is fed from history. parked: its stream is full; nobody works for it until the stream
 * drains. compacted: history it needed is gone and it was told so; only its id lives on, as in etcd.
 */
export type WatcherState = "synced" | "catching-up" | "parked" | "compacted" | "closed";

export class Watcher {
  readonly stream: WatchStream;
  readonly id: number;
  /** Key text of the key or of the range's start. */
  readonly start: string;
  /** Key text of the exclusive end; null for a single key. */
  readonly end: string | null;
  /**
   * What the client asked for, 0 for "from now on". Never changes: no event and no progress below it is ever
   * sent, whatever happens to the store (incident 13).
   */
  readonly startRevision: number;
  readonly dropPuts: boolean;
  readonly dropDeletes: boolean;
  readonly withPrevious: boolean;
  readonly fragment: boolean;
  readonly progressNotify: boolean;
  /** Nothing was sent since the last tick of the progress interval: the sink's own note. */
  quiet = true;
  state: WatcherState = "closed";
  /**
   * Everything below has been sent or was not for this watcher. Only a lower bound while synced, where the
   * hub's revision counts as well.
   */
  nextRevision: number;
  /** Where it stands in its group: the group's own notes. */
  bucket: WatcherBucket | null = null;
  slot = 0;
  /** What it sees of the batch with number `round`: notes of the matching. */
  round = 0;
  selection: EventSelection | null = null;

  constructor(
    stream: WatchStream,
    id: number,
    start: string,
    end: string | null,
    nextRevision: number,
    request: WatcherRequest,
  ) {
    this.stream = stream;
    this.id = id;
    this.start = start;
    this.end = end;
    this.startRevision = request.startRevision;
    this.nextRevision = nextRevision;
    this.dropPuts = request.dropPuts;
    this.dropDeletes = request.dropDeletes;
    this.withPrevious = request.withPrevious;
    this.fragment = request.fragment;
    this.progressNotify = request.progressNotify;
  }
}

/** The consumer behind a watch stream. */
export interface WatchSink {
  /**
   * False while the consumer is behind: the hub sends nothing more and the owner calls stream.drained() once
   * it is true again. Asked before every response, so a full consumer overshoots by one response at most.
   */
  readonly writable: boolean;
  /** One response: all of the selection's events, under this header revision. */
  deliver(watcher: Watcher, events: EventSelection, headerRevision: number): void;
  /** The watcher is cancelled because the history it needed was compacted. */
  compacted(watcher: Watcher, compactRevision: number): void;
}
