/**
 * Keepalive as etcd's server does it (grpc-go's enforcement policy and server parameters).
 * A client may ping while it has calls, but no more often than `minIntervalMs`; without calls only every two
 * hours unless `permitWithoutStream`. Each ping too early is a strike, sending headers or data wipes strikes
 * out, more than two end the connection with GOAWAY too_many_pings. The server itself pings a connection that
 * was silent for `intervalMs` and gives it `timeoutMs` to say anything.
 */
export interface KeepaliveOptions {
  /** etcd --grpc-keepalive-min-time. */
  readonly minIntervalMs: number;
  readonly permitWithoutStream: boolean;
  /** etcd --grpc-keepalive-interval; 0 turns the server's pings off. */
  readonly intervalMs: number;
  /** etcd --grpc-keepalive-timeout. */
  readonly timeoutMs: number;
}

const TWO_HOURS_MS = 2 * 3600 * 1000;

export const DEFAULT_KEEPALIVE: KeepaliveOptions = {
  minIntervalMs: 5_000,
  permitWithoutStream: false,
  intervalMs: TWO_HOURS_MS,
  timeoutMs: 20_000,
};

const STRIKES_MAX = 2;
const IDLE_MIN_INTERVAL_MS = TWO_HOURS_MS;

export class PingPolicy {
  /** Set whenever headers or data are sent; wipes the strikes at the next ping. */
  progressed = false;
  readonly #options: KeepaliveOptions;
  #strikes = 0;
  #lastPingMs = Number.NEGATIVE_INFINITY;

  constructor(options: KeepaliveOptions) {
    this.#options = options;
  }

  /** The client pinged; false when it did so too often. */
  onPing(nowMs: number, activeStreams: number): boolean {
    const sinceMs = nowMs - this.#lastPingMs;
    this.#lastPingMs = nowMs;
    if (this.progressed) {
      this.progressed = false;
      this.#strikes = 0;
      return true;
    }
    const idle = activeStreams === 0 && !this.#options.permitWithoutStream;
    if (sinceMs < (idle ? IDLE_MIN_INTERVAL_MS : this.#options.minIntervalMs)) this.#strikes++;
    return this.#strikes <= STRIKES_MAX;
  }
}

/** Decides when the server pings and when it gives up; asked by whoever owns the timer. */
export class IdleWatch {
  readonly #options: KeepaliveOptions;
  #pingSentMs = -1;

  constructor(options: KeepaliveOptions) {
    this.#options = options;
  }

  /**
   * What to do at `nowMs` if the last byte came at `lastReceivedMs`: "ping", "dead", or how many milliseconds to
   * wait before asking again.
   */
  check(nowMs: number, lastReceivedMs: number): "ping" | "dead" | number {
    const { intervalMs, timeoutMs } = this.#options;
    if (intervalMs <= 0) return Number.POSITIVE_INFINITY;
    if (this.#pingSentMs >= 0 && lastReceivedMs < this.#pingSentMs) {
      const leftMs = this.#pingSentMs + timeoutMs - nowMs;
      return leftMs <= 0 ? "dead" : leftMs;
    }
    this.#pingSentMs = -1;
    const leftMs = lastReceivedMs + intervalMs - nowMs;
    if (leftMs > 0) return leftMs;
    this.#pingSentMs = nowMs;
    return "ping";
  }
}
