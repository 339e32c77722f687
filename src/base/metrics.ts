/**
 * Numbers that are watched from outside, and Prometheus' text form of them (0.0.4). Instruments are plain
 * objects whose hot methods touch a few numbers and allocate nothing; names, help and labels are given
 * where a registry is put together, so that whoever counts knows nothing of how it is shown.
 */
import { assert } from "./assert.ts";

export type MetricKind = "counter" | "gauge" | "histogram";

export class Counter {
  value = 0;

  increment(by = 1): void {
    this.value += by;
  }
}

export class Gauge {
  value = 0;

  set(value: number): void {
    this.value = value;
  }

  add(by: number): void {
    this.value += by;
  }
}

export class Histogram {
  /** Upper bounds, ascending; above the last one is infinity. */
  readonly bounds: Float64Array;
  /** Observations per bucket, not cumulated; one more than bounds. */
  readonly counts: Float64Array;
  sum = 0;

  constructor(bounds: readonly number[]) {
    this.bounds = Float64Array.from(bounds);
    this.counts = new Float64Array(bounds.length + 1);
  }

  observe(value: number): void {
    const { bounds } = this;
    let bucket = 0;
    while (bucket < bounds.length && value > bounds[bucket]!) bucket++;
    this.counts[bucket]!++;
    this.sum += value;
  }

  get count(): number {
    let total = 0;
    for (const count of this.counts) total += count;
    return total;
  }
}

/** `count` bounds, the first one `start`, each `factor` times the one before. */
export function exponentialBuckets(start: number, factor: number, count: number): number[] {
  const bounds: number[] = [];
  for (let bound = start; bounds.length < count; bound *= factor) bounds.push(bound);
  return bounds;
}

/** Series by label values. Hot paths keep the member that `with` gave them. */
export class Labelled<Instrument> {
  readonly #create: () => Instrument;
  readonly #members = new Map<string, readonly [values: readonly string[], Instrument]>();
  readonly #seriesMax: number;

  /** Label values may come from clients: past `seriesMax` all share the last series. */
  constructor(create: () => Instrument, seriesMax = 1000) {
    this.#create = create;
    this.#seriesMax = seriesMax;
  }

  with(...values: string[]): Instrument {
    const key = values.join("\u0000");
    let member = this.#members.get(key);
    if (member === undefined) {
      if (this.#members.size >= this.#seriesMax) return [...this.#members.values()].at(-1)![1];
      member = [values, this.#create()];
      this.#members.set(key, member);
    }
    return member[1];
  }

  *[Symbol.iterator](): IterableIterator<readonly [values: readonly string[], Instrument]> {
    yield* this.#members.values();
  }
}

/** One number of a family, with the values of its labels. */
export interface Sample {
  readonly labels: readonly string[];
  readonly value: number | Histogram;
}

/** A family of series under one name. */
export interface Family {
  readonly name: string;
  readonly kind: MetricKind;
  readonly help: string;
  readonly labelNames: readonly string[];
  /** Called for each page; a family without samples is left out. */
  readonly collect: () => Iterable<Sample>;
}

const NAME = /^[a-zA-Z_:][a-zA-Z0-9_:]*$/;

export class MetricsRegistry {
  readonly #families = new Map<string, Family>();

  add(family: Family): void {
    assert(NAME.test(family.name), `bad metric name ${family.name}`);
    assert(!this.#families.has(family.name), `metric ${family.name} is registered twice`);
    this.#families.set(family.name, family);
  }

  /** The page, families by name. */
  render(): string {
    let page = "";
    for (const name of [...this.#families.keys()].sort()) {
      page += renderFamily(this.#families.get(name)!);
    }
    return page;
  }
}

function renderFamily(family: Family): string {
  let lines = "";
  for (const { labels, value } of family.collect()) {
    assert(labels.length === family.labelNames.length, `labels of ${family.name}`);
    const pairs = family.labelNames.map((name, i) => `${name}="${escapeLabel(labels[i]!)}"`);
    lines +=
      typeof value === "number"
        ? line(family.name, pairs, value)
        : renderHistogram(family.name, pairs, value);
  }
  if (lines === "") return "";
  const help = family.help.replaceAll("\\", "\\\\").replaceAll("\n", "\\n");
  return `# HELP ${family.name} ${help}\n# TYPE ${family.name} ${family.kind}\n${lines}`;
}

function renderHistogram(name: string, pairs: readonly string[], histogram: Histogram): string {
  let lines = "";
  let cumulated = 0;
  for (let i = 0; i <= histogram.bounds.length; i++) {
    cumulated += histogram.counts[i]!;
    const bound = histogram.bounds[i] ?? Number.POSITIVE_INFINITY;
    lines += line(`${name}_bucket`, [...pairs, `le="${numberText(bound)}"`], cumulated);
  }
  return (
    lines + line(`${name}_sum`, pairs, histogram.sum) + line(`${name}_count`, pairs, cumulated)
  );
}

function line(name: string, pairs: readonly string[], value: number): string {
  const labels = pairs.length === 0 ? "" : `{${pairs.join(",")}}`;
  return `${name}${labels} ${numberText(value)}\n`;
}

function escapeLabel(text: string): string {
  return text.replaceAll("\\", "\\\\").replaceAll('"', '\\"').replaceAll("\n", "\\n");
}

/** As Go prints floats: shortest digits, an exponent of at least two digits from a million on. */
function numberText(value: number): string {
  if (value === Number.POSITIVE_INFINITY) return "+Inf";
  if (value === Number.NEGATIVE_INFINITY) return "-Inf";
  const size = Math.abs(value);
  if (size === 0 || Number.isNaN(size) || (size >= 1e-4 && size < 1e6)) return String(value);
  return value.toExponential().replace(/e([+-])(\d)$/, "e$10$2");
}
