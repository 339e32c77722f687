// Good runs for the checkers' tests: a store that serves one request at a time, seen by clients through
// intervals around that moment, with lost answers, leases, compactions and watchers. The tests damage them.

import { SeededRandom } from "../../disk/seeded-random.ts";
import { emptyStore, type KvEntry, type KvState } from "./kv-model.ts";
import type {
  Compare,
  KvRequest,
  KvResponse,
  RangeRequest,
  TxnOperation,
} from "./kv-operations.ts";
import { runRequest } from "./kv-run.ts";
import { type KvChange, type RevisionChanges, RevisionHistory } from "./revision-history.ts";
import type { RecordedWatch, WatchRequest, WatchResponse } from "./watch-checks.ts";

export interface SampleOptions {
  readonly seed: number;
  readonly operations: number;
  readonly keys: number;
  /** Chance that the answer is lost. */
  readonly lost: number;
  /** How far intervals reach around the moment of the effect, in operations. */
  readonly reach: number;
}

export interface SampleRun {
  readonly entries: readonly KvEntry[];
  readonly log: readonly RevisionChanges[];
  readonly history: RevisionHistory;
  readonly compactedRevision: number;
}

const byDefault: SampleOptions = { seed: 1, operations: 400, keys: 6, lost: 0.05, reach: 4 };

export function sampleRun(options: Partial<SampleOptions> = {}): SampleRun {
  return new Sampler({ ...byDefault, ...options }).run();
}

export function range(key: string, rest: Partial<RangeRequest> = {}): RangeRequest {
  const plain = { rangeEnd: "", revision: 0, limit: 0, countOnly: false, serializable: false };
  return { kind: "range", key, ...plain, ...rest };
}

class Sampler {
  readonly #options: SampleOptions;
  readonly #random: SeededRandom;
  readonly #entries: KvEntry[] = [];
  readonly #log: RevisionChanges[] = [];
  readonly #states: KvState[] = [emptyStore];
  /** Until when each client waits for its answer. */
  readonly #busyUntil: number[] = [];
  #state = emptyStore;
  #nextLease = 1n;

  constructor(options: SampleOptions) {
    this.#options = options;
    this.#random = new SeededRandom(options.seed);
  }

  run(): SampleRun {
    for (let at = 0; at < this.#options.operations; at++) {
      const [lease] = this.#state.leases;
      if (lease !== undefined && this.#random.chance(0.02)) {
        this.#apply({ kind: "lease-revoke", lease });
      }
      this.#serve(at);
    }
    const history = new RevisionHistory(this.#log);
    const { compactRevision } = this.#state;
    return { entries: this.#entries, log: this.#log, history, compactedRevision: compactRevision };
  }

  #serve(at: number): void {
    const random = this.#random;
    const { reach, lost } = this.#options;
    const callTime = at - random.next() * reach;
    let client = this.#busyUntil.findIndex((until) => until < callTime);
    if (client < 0) client = this.#busyUntil.length;
    const returnTime = at + random.next() * reach;
    this.#busyUntil[client] = returnTime;
    const input = this.#request(at);
    if (input.kind === "lease-grant") this.#expiry(input.lease, callTime);
    if (random.chance(lost)) {
      this.#busyUntil[client] = Number.POSITIVE_INFINITY;
      if (random.chance(0.5)) this.#apply(input);
      this.#entries.push({ client, input, callTime, outcome: { kind: "unknown" } });
      return;
    }
    const serializable = input.kind === "range" && input.serializable;
    const output = serializable ? this.#stale(input) : this.#apply(input);
    this.#entries.push({ client, input, callTime, outcome: { kind: "ok", output, returnTime } });
  }

  /** Nobody asks for it; it may happen from the grant on. */
  #expiry(lease: bigint, callTime: number): void {
    const input = { kind: "lease-revoke", lease } as const;
    this.#entries.push({ client: -1, input, callTime, outcome: { kind: "unknown" } });
  }

  #apply(input: KvRequest): KvResponse {
    const past = (key: string, rangeEnd: string, revision: number) =>
      this.#states[revision - 1]!.range(key, rangeEnd);
    const run = runRequest(this.#state, input, past);
    this.#state = this.#state.after(input, run);
    if (run.events.length > 0) {
      this.#states.push(this.#state);
      const changes = run.events.map(({ kind, keyValue }): KvChange => {
        const { key, value, lease } = keyValue;
        return kind === "put" ? { kind, key, value, lease } : { kind, key };
      });
      this.#log.push({ revision: this.#state.revision, changes });
    }
    return run.response;
  }

  #stale(input: KvRequest): KvResponse {
    const back = this.#random.below(Math.min(5, this.#states.length));
    return runRequest(this.#states[this.#states.length - 1 - back]!, input).response;
  }

  #request(at: number): KvRequest {
    const random = this.#random;
    const key = this.#key();
    const dice = random.below(100);
    if (dice < 35) return { kind: "put", key, value: `v${at}`, lease: this.#lease() };
    if (dice < 50) return range(key);
    if (dice < 58) return range("", { rangeEnd: "\0", limit: random.below(4) });
    if (dice < 62) return range(key, { rangeEnd: "\0", countOnly: true });
    if (dice < 66) return range(key, { serializable: true });
    if (dice < 70) return range(key, { revision: 1 + random.below(this.#state.revision + 1) });
    if (dice < 76) return { kind: "delete-range", key, rangeEnd: "" };
    if (dice < 79) return { kind: "delete-range", key, rangeEnd: `${key}~` };
    if (dice < 92) return this.#txn(at, key);
    if (dice < 95) return { kind: "lease-grant", lease: this.#nextLease++ };
    if (dice < 98) return { kind: "lease-revoke", lease: BigInt(1 + random.below(5)) };
    return { kind: "compact", revision: this.#state.revision - random.below(10) };
  }

  #txn(at: number, key: string): KvRequest {
    const random = this.#random;
    const held = this.#state.get(key);
    const right = random.chance(0.6);
    const compares: Compare[] = [];
    if (random.chance(0.5)) {
      const operand = right ? (held?.modRevision ?? 0) : 1;
      compares.push({ key, rangeEnd: "", target: "mod", result: "equal", operand });
    } else {
      const operand = right ? (held?.value ?? "") : "none";
      compares.push({ key, rangeEnd: "", target: "value", result: "equal", operand });
    }
    const other = `k${this.#options.keys}`;
    const success: TxnOperation[] = [
      { kind: "put", key, value: `t${at}`, lease: 0n },
      { kind: "put", key: other, value: `u${at}`, lease: 0n },
      range(key),
    ];
    const failure: TxnOperation[] = random.chance(0.5)
      ? [range(key)]
      : [{ kind: "delete-range", key: other, rangeEnd: "" }];
    return { kind: "txn", compares, success, failure };
  }

  #key(): string {
    return `k${this.#random.below(this.#options.keys)}`;
  }

  #lease(): bigint {
    return this.#random.chance(0.2) ? BigInt(1 + this.#random.below(5)) : 0n;
  }
}

/** What a watcher of the run receives: revisions in random batches, notices between them. */
export function sampleWatch(
  { history }: SampleRun,
  request: Partial<WatchRequest> = {},
  seed = 1,
): RecordedWatch & { readonly responses: WatchResponse[] } {
  const asked: WatchRequest = {
    key: "",
    rangeEnd: "\0",
    startRevision: 1,
    previous: true,
    filters: [],
    ...request,
  };
  const random = new SeededRandom(seed);
  const responses: WatchResponse[] = [];
  const createdRevision = Math.floor(history.lastRevision / 3);
  const start = asked.startRevision > 0 ? asked.startRevision : createdRevision + 1;
  let batch: (WatchResponse & { kind: "events" })["events"] = [];
  for (let revision = Math.max(2, start); revision <= history.lastRevision; revision++) {
    const events = history
      .eventsAt(revision)
      .filter(({ keyValue, kind }) => {
        if (asked.filters.includes(kind === "put" ? "no-put" : "no-delete")) return false;
        if (asked.rangeEnd === "") return keyValue.key === asked.key;
        return (
          keyValue.key >= asked.key && (asked.rangeEnd === "\0" || keyValue.key < asked.rangeEnd)
        );
      })
      .map((event) => {
        const previous = asked.previous ? history.keyAt(event.keyValue.key, revision - 1) : null;
        return { ...event, previous };
      });
    batch = [...batch, ...events];
    if (random.chance(0.5)) continue;
    if (batch.length > 0)
      responses.push({ kind: "events", revision, events: batch, fragment: false });
    batch = [];
    if (random.chance(0.2)) responses.push({ kind: "progress", revision });
  }
  return { name: `seed ${seed}`, request: asked, createdRevision, responses };
}
