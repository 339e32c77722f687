/**
 * One Watch call: its requests, the answers to them, and the sink through which the hub sends events.
 *
 * Order on the wire: the answer to a create comes before the watcher's events, progress replies come after all
 * events up to their revision, because everything goes through the call's one queue in the turn it is decided.
 * A consumer that falls behind stops the hub for this stream (`writable`) and its own requests (pause), so what
 * waits here is bounded by streamQueueBytesMax plus one response.
 */
import {
  type EtcdError,
  encodeWatchResponse,
  errCompacted,
  errRequestTooManyRequests,
  errWatchCanceled,
  GRPC_CODE_NAMES,
  ProtoWriter,
  type RequestStream,
  type StreamCall,
  type WatchCreateRequest,
  WatchCreateRequestFilterType,
  type WatchRequest,
  type WatchResponseInit,
} from "../api/index.ts";
import type { Timer } from "../io/index.ts";
import type {
  CreateProblem,
  EventSelection,
  Watcher,
  WatchSink,
  WatchStream,
} from "../mvcc/watch/index.ts";
import type { WatchResponseEncoder } from "./watch-service-encoder.ts";
import { PROGRESS_NOTIFY_INTERVAL_MS_MIN, type WatchServiceParts } from "./watch-service-parts.ts";

/** The id in responses that concern no watcher: refused creates and progress of the whole stream. */
const ID_OUT_OF_RANGE = "mvcc: watch ID beyond 2^53 is not supported";
const NO_WATCH_ID = -1;

/** What an empty key stands for in a watch. */
const SMALLEST_KEY = new Uint8Array([0]);

/** How soon a full stream is looked at again when the call promised no drain event. */
const RETRY_MS = 10;

const CREATE_REASONS: Readonly<Record<CreateProblem, string>> = {
  "negative-revision": errCompacted.message,
  "empty-range": "mvcc: watcher range is empty",
  "duplicate-id": "mvcc: duplicate watch ID provided on the WatchStream",
};

export class WatchSession implements WatchSink {
  readonly #parts: WatchServiceParts;
  readonly #encoder: WatchResponseEncoder;
  readonly #requests: RequestStream<WatchRequest>;
  readonly #call: StreamCall<WatchResponseInit>;
  readonly #stream: WatchStream;
  readonly #onClosed: () => void;
  readonly #progressIntervalMs: number;
  /** The consumer is behind: nothing is sent but answers to requests that were already here. */
  #blocked = false;
  /** The call itself asked to stop, and will announce when to go on. */
  #awaitsDrain = false;
  #closed = false;
  #progressTimer: Timer | null = null;
  #retryTimer: Timer | null = null;
  #eventsSinceEmpty = 0;
  /**
   * The rest of a fragmented response that found no room. Nothing may come between its pieces, clients drop
   * those they have when another answer arrives: whatever else is sent queues up behind.
   */
  readonly #unsent: Uint8Array[] = [];

  constructor(
    parts: WatchServiceParts,
    encoder: WatchResponseEncoder,
    requests: RequestStream<WatchRequest>,
    call: StreamCall<WatchResponseInit>,
    onClosed: () => void,
  ) {
    this.#parts = parts;
    this.#encoder = encoder;
    this.#requests = requests;
    this.#call = call;
    this.#onClosed = onClosed;
    this.#stream = parts.hub.openStream(this);
    const intervalMs = Math.max(
      parts.limits.progressNotifyIntervalMs,
      PROGRESS_NOTIFY_INTERVAL_MS_MIN,
    );
    // Up to a tenth more, drawn once per stream: streams that were opened together do not tick together.
    const jitterMs = Math.floor(intervalMs / 10);
    this.#progressIntervalMs = intervalMs + (jitterMs === 0 ? 0 : parts.random.uint32() % jitterMs);
  }

  /** Listens to the call, which may bring requests or even its end at once. */
  start(): void {
    const call = this.#call;
    const requests = this.#requests;
    call.onDrain(() => {
      this.#awaitsDrain = false;
      this.#lookForRoom();
    });
    // Half-closing the requests ends nothing: the watchers stay.
    requests.onEnd(() => {});
    call.onAbort(() => this.fail(errWatchCanceled));
    if (!this.#closed) requests.onMessage((request) => this.#handle(request));
  }

  /** Events handed to the call whose bytes may not have left yet. */
  pendingEvents(): number {
    if (this.#call.queuedBytes === 0) this.#eventsSinceEmpty = 0;
    return this.#eventsSinceEmpty;
  }

  /** Ends the call and frees everything that belongs to it. */
  fail(error: EtcdError): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#stream.close();
    this.#progressTimer?.cancel();
    this.#retryTimer?.cancel();
    this.#onClosed();
    this.#call.fail(error);
  }

  // What the hub asks and tells.

  get writable(): boolean {
    return !this.#blocked && !this.#closed;
  }

  deliver(watcher: Watcher, events: EventSelection, headerRevision: number): void {
    watcher.quiet = false;
    if (this.#eventsSinceEmpty > 0 && this.#call.queuedBytes === 0) this.#eventsSinceEmpty = 0;
    this.#eventsSinceEmpty += events.eventCount;
    if (!watcher.fragment) {
      const message = this.#encoder.whole(watcher.id, events, headerRevision);
      this.#sent(this.#call.sendEncoded(message));
      return;
    }
    const { fragmentBytesMax } = this.#parts.limits;
    const messages = this.#encoder.fragments(watcher.id, events, headerRevision, fragmentBytesMax);
    this.#unsent.push(...messages);
    this.#sendFragments();
  }

  compacted(watcher: Watcher, compactRevision: number): void {
    this.#send({
      // etcd leaves the revision and the reason of this one response empty.
      header: this.#parts.headers.header(0),
      watch_id: watcher.id,
      canceled: true,
      compact_revision: compactRevision,
    });
  }

  // Requests.

  #handle(request: WatchRequest): void {
    if (this.#closed) return;
    if (request.create_request !== undefined) this.#create(request.create_request);
    else if (request.cancel_request !== undefined) this.#cancel(request.cancel_request.watch_id);
    else if (request.progress_request !== undefined) this.#progress();
    // An empty union is ignored, as etcd does.
  }

  #create(request: WatchCreateRequest): void {
    const { permission, limits, hub } = this.#parts;
    // etcd looks at the revision before it looks at permissions.
    if (request.start_revision < 0) {
      this.#refuse(CREATE_REASONS["negative-revision"]);
      return;
    }
    // Beyond 2^53 two ids would be one number: an error is better than events under another's id.
    if (!Number.isSafeInteger(request.watch_id)) {
      this.#refuse(ID_OUT_OF_RANGE);
      return;
    }
    const key = request.key.length === 0 ? SMALLEST_KEY : request.key;
    const denied = permission(this.#call.context, key, request.range_end);
    if (denied !== null) {
      this.#refuse(`rpc error: code = ${GRPC_CODE_NAMES[denied.code]} desc = ${denied.message}`);
      return;
    }
    if (this.#stream.watchers.size >= limits.watchersPerStreamMax) {
      this.#refuse(errRequestTooManyRequests.message);
      return;
    }
    const created = this.#stream.create({
      key,
      rangeEnd: request.range_end,
      startRevision: request.start_revision,
      id: request.watch_id,
      dropPuts: request.filters.includes(WatchCreateRequestFilterType.NOPUT),
      dropDeletes: request.filters.includes(WatchCreateRequestFilterType.NODELETE),
      withPrevious: request.prev_kv,
      fragment: request.fragment,
      progressNotify: request.progress_notify,
    });
    if (typeof created === "string") {
      this.#refuse(CREATE_REASONS[created]);
      return;
    }
    this.#send({
      header: this.#parts.headers.header(hub.storeRevision),
      watch_id: created.id,
      created: true,
    });
    if (created.progressNotify) this.#startProgressTimer();
  }

  #refuse(reason: string): void {
    this.#send({
      header: this.#parts.headers.header(this.#parts.hub.storeRevision),
      watch_id: NO_WATCH_ID,
      created: true,
      canceled: true,
      cancel_reason: reason,
    });
  }

  #cancel(watchId: number): void {
    if (!this.#stream.cancel(watchId)) return;
    this.#send({
      header: this.#parts.headers.header(this.#parts.hub.storeRevision),
      watch_id: watchId,
      canceled: true,
    });
  }

  /** No answer while anything is still to be sent; the client asks again. */
  #progress(): void {
    const revision = this.#stream.progressRevision();
    if (revision === null) return;
    this.#send({ header: this.#parts.headers.header(revision), watch_id: NO_WATCH_ID });
  }

  // Progress notices by the clock.

  #startProgressTimer(): void {
    if (this.#progressTimer !== null || this.#closed) return;
    this.#progressTimer = this.#parts.clock.setTimer(this.#progressIntervalMs, () => {
      this.#progressTimer = null;
      this.#progressTick();
    });
  }

  #progressTick(): void {
    let wanted = false;
    for (const watcher of this.#stream.watchers.values()) {
      if (!watcher.progressNotify || watcher.state === "compacted") continue;
      wanted = true;
      if (watcher.quiet && this.writable) this.#notifyProgress(watcher);
      watcher.quiet = true;
    }
    if (wanted) this.#startProgressTimer();
  }

  #notifyProgress(watcher: Watcher): void {
    const revision = this.#stream.watcherProgressRevision(watcher);
    if (revision === null) return;
    this.#send({ header: this.#parts.headers.header(revision), watch_id: watcher.id });
  }

  // Room.

  #send(response: WatchResponseInit): void {
    if (this.#closed) return;
    if (this.#unsent.length === 0) {
      this.#sent(this.#call.send(response));
      return;
    }
    const writer = new ProtoWriter();
    encodeWatchResponse(writer, response);
    this.#unsent.push(writer.finish());
  }

  #sendFragments(): void {
    let sent = 0;
    while (sent < this.#unsent.length && this.writable) {
      this.#sent(this.#call.sendEncoded(this.#unsent[sent++]!));
    }
    this.#unsent.splice(0, sent);
  }

  #sent(accepted: boolean): void {
    if (accepted && this.#call.queuedBytes < this.#parts.limits.streamQueueBytesMax) return;
    if (!this.#blocked) {
      this.#blocked = true;
      this.#requests.pause();
    }
    // A call that took the message announces no drain; only our own bound was passed.
    if (accepted) this.#retryLater();
    else this.#awaitsDrain = true;
  }

  #retryLater(): void {
    if (this.#retryTimer !== null || this.#closed) return;
    this.#retryTimer = this.#parts.clock.setTimer(RETRY_MS, () => {
      this.#retryTimer = null;
      this.#lookForRoom();
    });
  }

  #lookForRoom(): void {
    if (!this.#blocked || this.#awaitsDrain || this.#closed) return;
    if (this.#call.queuedBytes >= this.#parts.limits.streamQueueBytesMax) {
      this.#retryLater();
      return;
    }
    this.#blocked = false;
    this.#sendFragments();
    if (!this.writable) return;
    this.#requests.resume();
    if (this.writable) this.#stream.drained();
  }
}
