/**
 * The watch service: every call is a session (watch-service-session.ts) over a stream of the watch hub. This
 * file holds what sessions share: the parts they are built from, the hub's spare-time work, the end of all of them
 * at shutdown and the figures for metrics.
 */
import {
  errStopped,
  type RequestStream,
  type StreamCall,
  type WatchRequest,
  type WatchResponseInit,
  type WatchService,
} from "../api/index.ts";
import { assert } from "../base/assert.ts";
import type { WatchStatistics } from "../mvcc/watch/index.ts";
import { WatchResponseEncoder } from "./watch-service-encoder.ts";
import type { WatchServiceParts } from "./watch-service-parts.ts";
import { WatchSession } from "./watch-service-session.ts";

/** About a millisecond of the hub's work per turn. */
const PUMP_UNITS = 1000;

export interface WatchServiceStatistics extends WatchStatistics {
  /** etcd_debugging_mvcc_pending_events_total: events handed to streams that still hold unsent bytes. */
  readonly pendingEvents: number;
}

export class WatchServer implements WatchService {
  readonly #parts: WatchServiceParts;
  readonly #encoder: WatchResponseEncoder;
  readonly #sessions = new Set<WatchSession>();
  #stopped = false;

  constructor(parts: WatchServiceParts) {
    assert(parts.limits.streamQueueBytesMax > 0, "streams need room for a response");
    this.#parts = parts;
    this.#encoder = new WatchResponseEncoder((revision) => parts.headers.header(revision));
    const pump = () => parts.hub.pump(PUMP_UNITS);
    parts.hub.onWork(() => parts.background.add(pump));
  }

  watch(requests: RequestStream<WatchRequest>, call: StreamCall<WatchResponseInit>): void {
    if (this.#stopped) {
      call.fail(errStopped);
      return;
    }
    const session = new WatchSession(this.#parts, this.#encoder, requests, call, () =>
      this.#sessions.delete(session),
    );
    this.#sessions.add(session);
    session.start();
  }

  /** Ends every stream: Unavailable makes clients resume elsewhere, where Canceled would end their watches. */
  stop(): void {
    this.#stopped = true;
    for (const session of [...this.#sessions]) session.fail(errStopped);
  }

  statistics(): WatchServiceStatistics {
    let pendingEvents = 0;
    for (const session of this.#sessions) pendingEvents += session.pendingEvents();
    return { ...this.#parts.hub.statistics(), pendingEvents };
  }
}
