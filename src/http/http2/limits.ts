/**
 * Every bound of one HTTP/2 connection, and the budgets against peers that make us work for nothing.
 * A budget holds tokens that come back with time; a peer that spends them faster than that is told
 * ENHANCE_YOUR_CALM and loses the connection.
 */
export interface Http2Limits {
  /** Streams a client may have open at once; 2^32-1 means that none is advertised (etcd's default). */
  readonly maxConcurrentStreams: number;
  /** Largest frame payload we accept; advertised. */
  readonly maxFrameBytes: number;
  /** Our receive window for one stream, and for the connection as a whole. */
  readonly streamWindowBytes: number;
  readonly connectionWindowBytes: number;
  /** Decoded header list (names, values and 32 bytes for each field); advertised. */
  readonly headerListBytesMax: number;
  /** Compressed header block over all its CONTINUATION frames, and how many of those. */
  readonly headerBlockBytesMax: number;
  readonly continuationFramesMax: number;
  /** The decoder's dynamic table. */
  readonly headerTableBytesMax: number;
  /** Above this much unsent output no more DATA is put into the output buffer. */
  readonly outputHighWaterBytes: number;
  /** Unsent output (control frames, headers) above which the peer is considered not to be reading. */
  readonly outputBytesMax: number;
  /** Messages waiting on all streams of a connection; above it new streams are refused. */
  readonly queuedBytesMax: number;
  /** Per stream: send() asks to stop above the first and resumes below half of it. */
  readonly streamQueueHighWaterBytes: number;
  /** Per stream: a producer that goes on all the same is cut off here. */
  readonly streamQueueBytesMax: number;
  /** Streams the peer resets (or makes us reset): burst and refill per second. */
  readonly resetBurst: number;
  readonly resetsPerSecond: number;
  /** SETTINGS, PRIORITY, empty DATA and unknown frames. */
  readonly idleFrameBurst: number;
  readonly idleFramesPerSecond: number;
  /** WINDOW_UPDATE frames beyond the ones that our own DATA frames explain. */
  readonly windowUpdateBurst: number;
  readonly windowUpdatesPerSecond: number;
}

const MEBI = 1024 * 1024;

export const UNLIMITED_STREAMS = 0xffffffff;

export const DEFAULT_HTTP2_LIMITS: Http2Limits = {
  maxConcurrentStreams: UNLIMITED_STREAMS,
  maxFrameBytes: 16_384,
  streamWindowBytes: MEBI,
  connectionWindowBytes: 16 * MEBI,
  headerListBytesMax: 64 * 1024,
  headerBlockBytesMax: 64 * 1024,
  continuationFramesMax: 64,
  headerTableBytesMax: 4096,
  outputHighWaterBytes: 256 * 1024,
  outputBytesMax: 4 * MEBI,
  queuedBytesMax: 256 * MEBI,
  streamQueueHighWaterBytes: 256 * 1024,
  streamQueueBytesMax: 64 * MEBI,
  resetBurst: 20_000,
  resetsPerSecond: 2_000,
  idleFrameBurst: 1_000,
  idleFramesPerSecond: 100,
  windowUpdateBurst: 20_000,
  windowUpdatesPerSecond: 2_000,
};

/** Tokens that come back with time. */
export class Budget {
  readonly #burst: number;
  readonly #tokensPerMs: number;
  #tokens: number;
  #refilledMs: number;

  constructor(burst: number, perSecond: number, nowMs: number) {
    this.#burst = burst;
    this.#tokensPerMs = perSecond / 1000;
    this.#tokens = burst;
    this.#refilledMs = nowMs;
  }

  /** Spends one token; false when there is none left. */
  spend(nowMs: number): boolean {
    if (this.#tokens < 1) {
      this.earn((nowMs - this.#refilledMs) * this.#tokensPerMs);
      this.#refilledMs = nowMs;
      if (this.#tokens < 1) return false;
    }
    this.#tokens--;
    return true;
  }

  /** Gives tokens back, for time passed or for something useful that explains the peer's next frames. */
  earn(count: number): void {
    this.#tokens = Math.min(this.#burst, this.#tokens + count);
  }
}
