/**
 * Watches. All watchers of a client share one stream; when it breaks, it is opened again and every watcher goes
 * on behind the last revision it has seen, so that a listener sees each event exactly once and in order.
 *
 * Invariants: creates are answered in the order they were sent; `onEnd` comes once per watcher and last;
 * every watcher carries an id of our own choosing that is never used twice on a stream.
 */
import type { EtcdError, WatchCreateRequestInit, WatchResponse } from "../api/index.ts";
import { GrpcCode } from "../api/index.ts";
import type { Caller, OpenStream } from "./caller.ts";
import { MessageQueue } from "./message-queue.ts";
import { Watcher, type WatchHandle, type WatchListener } from "./watcher.ts";

const WATCH_PATH = "/etcdserverpb.Watch/Watch";
const PROGRESS_WATCH_ID = -1;
const REOPEN_FIRST_MS = 50;
const REOPEN_MAX_MS = 3000;
const WATCHERS_MAX = 1_000_000;

export class WatchClient {
  readonly #caller: Caller;
  readonly #watchers = new Map<number, Watcher>();
  /** Watchers whose create was sent and not answered, in order. */
  #creating: Watcher[] = [];
  #stream: OpenStream | null = null;
  #opening = false;
  #lastId = 0;
  #reopenMs = REOPEN_FIRST_MS;

  constructor(caller: Caller) {
    this.#caller = caller;
  }

  get watcherCount(): number {
    return this.#watchers.size;
  }

  /** Starts a watcher; listeners are called for everything the member says about it. */
  watch(request: WatchCreateRequestInit, listener: WatchListener): WatchHandle {
    const watcher = new Watcher(++this.#lastId, request, listener);
    if (this.#watchers.size >= WATCHERS_MAX)
      throw new RangeError("too many watchers on one client");
    this.#watchers.set(watcher.id, watcher);
    if (this.#stream === null) this.#open();
    else this.#create(watcher);
    return {
      cancel: () => this.#cancel(watcher),
      pause: () => this.#stream?.pause(),
      resume: () => this.#stream?.resume(),
    };
  }

  /** The same as an async iterable; leaving the loop cancels the watcher. A slow reader stops the stream. */
  iterate(request: WatchCreateRequestInit): AsyncIterable<WatchResponse> & { cancel(): void } {
    const queue = new MessageQueue<WatchResponse>();
    const handle = this.watch(request, {
      onResponse: (response) => queue.push(response),
      onEnd: (error) => queue.end(error),
    });
    queue.attach(handle);
    return queue;
  }

  /** Asks for a progress notice; it reaches every watcher, and nobody while there is none. */
  requestProgress(): void {
    this.#stream?.send({ progress_request: {} });
  }

  close(): void {
    const watchers = [...this.#watchers.values()];
    this.#watchers.clear();
    for (const watcher of watchers) watcher.end(null);
    this.#stream?.cancel();
    this.#stream = null;
  }

  #open(): void {
    if (this.#opening) return;
    this.#opening = true;
    const listener = {
      onMessage: (response: WatchResponse) => this.#answer(response),
      onClose: (error: EtcdError | null) => this.#closed(error),
    };
    this.#caller.stream(WATCH_PATH, listener, { requireLeader: true }).then(
      (stream) => {
        this.#opening = false;
        if (this.#watchers.size === 0) return stream.cancel();
        this.#stream = stream;
        for (const watcher of this.#watchers.values()) this.#create(watcher);
      },
      (error: EtcdError) => {
        this.#opening = false;
        this.#closed(error);
      },
    );
  }

  #create(watcher: Watcher): void {
    this.#creating.push(watcher);
    this.#stream?.send({ create_request: watcher.createRequest() });
  }

  #cancel(watcher: Watcher): void {
    if (!this.#watchers.delete(watcher.id)) return;
    this.#stream?.send({ cancel_request: { watch_id: watcher.id } });
    watcher.end(null);
    if (this.#watchers.size === 0) {
      this.#stream?.cancel();
      this.#stream = null;
    }
  }

  #answer(response: WatchResponse): void {
    this.#reopenMs = REOPEN_FIRST_MS;
    if (response.created) {
      const watcher = this.#creating.shift();
      if (watcher !== undefined) this.#deliver(watcher, response);
      return;
    }
    if (response.watch_id === PROGRESS_WATCH_ID) {
      for (const watcher of [...this.#watchers.values()]) this.#deliver(watcher, response);
      return;
    }
    const watcher = this.#watchers.get(response.watch_id);
    if (watcher !== undefined) this.#deliver(watcher, response);
  }

  #deliver(watcher: Watcher, response: WatchResponse): void {
    if (!this.#watchers.has(watcher.id)) return;
    watcher.take(response);
    if (!response.canceled) return;
    this.#watchers.delete(watcher.id);
    watcher.end(null);
  }

  #closed(error: EtcdError | null): void {
    this.#stream = null;
    this.#creating = [];
    if (this.#watchers.size === 0) return;
    const mayReturn =
      error === null || error.code === GrpcCode.Unavailable || error.code === GrpcCode.Internal;
    if (!mayReturn) {
      const watchers = [...this.#watchers.values()];
      this.#watchers.clear();
      for (const watcher of watchers) watcher.end(error);
      return;
    }
    this.#caller.clock.setTimer(this.#reopenMs, () => {
      if (this.#watchers.size > 0 && this.#stream === null) this.#open();
    });
    this.#reopenMs = Math.min(this.#reopenMs * 2, REOPEN_MAX_MS);
  }
}
