/**
 * Counts latencies in buckets that grow with the value: 128 to 256 per power of two, so a percentile is off by less
 * than 0.8 %. Smallest, largest, mean and deviation are exact. Memory is the same for ten samples and ten
 * billion, and recording one allocates nothing.
 */
const UNITS_PER_MS = 16_384; // 61 ns
const SUB_BITS = 8;
const SUB_COUNT = 1 << SUB_BITS;
const HALF = SUB_COUNT / 2;
const UNITS_MAX = 0xffffffff; // 262 s; longer ones count as this in percentiles
const BUCKET_COUNT = SUB_COUNT + (32 - SUB_BITS) * HALF;

export class LatencyRecorder {
  count = 0;
  minMs = Number.POSITIVE_INFINITY;
  maxMs = 0;
  #sumMs = 0;
  /** Welford's running mean and sum of squared deviations. */
  #mean = 0;
  #squares = 0;
  readonly #buckets = new Float64Array(BUCKET_COUNT);

  record(latencyMs: number): void {
    const value = Math.max(latencyMs, 0);
    this.count++;
    this.#sumMs += value;
    const delta = value - this.#mean;
    this.#mean += delta / this.count;
    this.#squares += delta * (value - this.#mean);
    if (value < this.minMs) this.minMs = value;
    if (value > this.maxMs) this.maxMs = value;
    this.#buckets[bucketOf(value)]!++;
  }

  get sumMs(): number {
    return this.#sumMs;
  }

  get meanMs(): number {
    return this.count === 0 ? 0 : this.#sumMs / this.count;
  }

  get deviationMs(): number {
    return this.count === 0 ? 0 : Math.sqrt(this.#squares / this.count);
  }

  /** The smallest recorded value (to the bucket's width) that `percent` of all samples do not exceed; 0 without any. */
  percentileMs(percent: number): number {
    if (this.count === 0) return 0;
    const rank = Math.max(1, Math.ceil((percent / 100) * this.count - 1e-9));
    let seen = 0;
    for (let i = 0; i < BUCKET_COUNT; i++) {
      seen += this.#buckets[i]!;
      if (seen >= rank) return Math.min(Math.max(upperEdgeMs(i), this.minMs), this.maxMs);
    }
    return this.maxMs;
  }

  /** Samples per interval (edges[i-1], edges[i]], the first from 0; the last takes everything above as well. */
  histogram(edgesMs: readonly number[]): number[] {
    const counts = new Array<number>(edgesMs.length).fill(0);
    for (let i = 0; i < BUCKET_COUNT; i++) {
      const samples = this.#buckets[i]!;
      if (samples === 0) continue;
      const value = Math.max(lowerEdgeMs(i), this.minMs);
      const found = edgesMs.findIndex((edge) => value <= edge);
      counts[found < 0 ? edgesMs.length - 1 : found]! += samples;
    }
    return counts;
  }
}

function bucketOf(latencyMs: number): number {
  const units = Math.min(Math.floor(latencyMs * UNITS_PER_MS), UNITS_MAX);
  if (units < SUB_COUNT) return units;
  const shift = 32 - SUB_BITS - Math.clz32(units);
  return shift * HALF + (units >>> shift);
}

function lowerEdgeMs(bucket: number): number {
  return unitsAt(bucket) / UNITS_PER_MS;
}

function upperEdgeMs(bucket: number): number {
  return unitsAt(bucket + 1) / UNITS_PER_MS;
}

/** The smallest value in a bucket. */
function unitsAt(bucket: number): number {
  if (bucket < SUB_COUNT) return bucket;
  const shift = Math.floor((bucket - HALF) / HALF);
  return (bucket - shift * HALF) * 2 ** shift;
}
