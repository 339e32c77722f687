/** One watcher on the client's side: what was asked for and how far it has come. Owned by WatchClient. */
import type { EtcdError, WatchCreateRequestInit, WatchResponse } from "../api/index.ts";

export interface WatchListener {
  /** Events, progress notices, the answer to the create and the cancellation, in order. */
  onResponse(response: WatchResponse): void;
  /** Null after a cancellation (the last response told why); an error when the stream is lost for good. */
  onEnd(error: EtcdError | null): void;
}

export interface WatchHandle {
  cancel(): void;
  /** Stops and restarts the whole shared stream. */
  pause(): void;
  resume(): void;
}

export class Watcher {
  readonly id: number;
  readonly #request: WatchCreateRequestInit;
  readonly #listener: WatchListener;
  /** First revision not yet delivered; 0 until known. */
  #nextRevision: number;
  #created = false;
  #ended = false;

  constructor(id: number, request: WatchCreateRequestInit, listener: WatchListener) {
    this.id = id;
    this.#request = request;
    this.#listener = listener;
    this.#nextRevision = request.start_revision ?? 0;
  }

  createRequest(): WatchCreateRequestInit {
    return { ...this.#request, watch_id: this.id, start_revision: this.#nextRevision };
  }

  take(response: WatchResponse): void {
    if (this.#ended) return;
    const revision = response.header?.revision ?? 0;
    if (response.created) {
      if (this.#nextRevision === 0 && !response.canceled) this.#nextRevision = revision + 1;
      // A watcher that was made again on a new stream has told its listener already.
      if (this.#created && !response.canceled) return;
      this.#created = true;
    } else if (response.events.length > 0) {
      const last = response.events[response.events.length - 1]!;
      if (!response.fragment) this.#nextRevision = (last.kv?.mod_revision ?? 0) + 1;
    } else if (!response.canceled && revision >= this.#nextRevision) {
      this.#nextRevision = revision + 1;
    }
    this.#listener.onResponse(response);
  }

  end(error: EtcdError | null): void {
    if (this.#ended) return;
    this.#ended = true;
    this.#listener.onEnd(error);
  }
}
