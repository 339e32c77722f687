// Clients of a cluster under faults, and what they saw, as the checkers of test/simulation/checkers want it.
//
// Invariants: no request is repeated; an error that does not prove that nothing happened is an unknown outcome, and
// the client goes on as a new one; every value is written once; the pace is bounded, so that checking stays cheap.

import { SeededRandom } from "../disk/seeded-random.ts";
import type { KvEntry } from "../simulation/checkers/kv-model.ts";
import type {
  Compare,
  KvRequest,
  KvResponse,
  PutRequest,
  RangeRequest,
} from "../simulation/checkers/kv-operations.ts";
import { memberClient } from "./cluster-member.ts";
import { kvError, kvMethods, kvRequest, kvResponse } from "./kv-wire.ts";

export interface LoadOptions {
  /** Endpoints at the moment: members come and go. */
  readonly endpoints: () => readonly string[];
  readonly clients: number;
  readonly seed: number;
  /** Mean pause of a client between two requests. */
  readonly pauseMs: number;
  readonly keys: number;
}

const callMilliseconds = 2500;
const afterErrorMilliseconds = 50;
const preloadValueBytes = 500_000;
const prefix = "k/";
const prefixEnd = "k0";

export class RecordedLoad {
  readonly entries: KvEntry[] = [];
  readonly #options: LoadOptions;
  readonly #running: Promise<void>[] = [];
  /** Texts of errors, and how often each came. */
  readonly errors = new Map<string, number>();
  readonly #leases: bigint[] = [];
  #stopped = false;
  #nextClient = 1;
  #nextValue = 1;
  #nextLease: number;
  acknowledgedWrites = 0;
  #firstFailure: Error | null = null;

  constructor(options: LoadOptions) {
    this.#options = options;
    this.#nextLease = 1 + options.seed * 1_000_000;
  }

  start(): void {
    for (let i = 0; i < this.#options.clients; i++) {
      const random = new SeededRandom(this.#options.seed * 1000 + i);
      this.#running.push(
        this.#run(random).catch((failure) => {
          this.#firstFailure ??= failure;
        }),
      );
    }
  }

  /** Large values under keys of their own, as recorded as everything else. */
  async preload(megabytes: number): Promise<void> {
    const connection = memberClient(this.#options.endpoints()[0]!);
    const client = this.#nextClient++;
    const filling = "x".repeat(preloadValueBytes);
    for (let i = 0; i * preloadValueBytes < megabytes * 1024 * 1024; i++) {
      const value = `${filling}${this.#nextValue++}`;
      const input = { kind: "put", key: `large/${i}`, value, lease: 0n } as const;
      const callTime = performance.now();
      const answer = await connection.unary(kvMethods.put, kvRequest(input));
      if ("error" in answer) throw new Error(`preload: ${answer.error.details}`);
      const output = kvResponse("put", answer.ok as never);
      const returnTime = performance.now();
      this.entries.push({ client, input, callTime, outcome: { kind: "ok", output, returnTime } });
    }
    connection.close();
  }

  async stop(): Promise<void> {
    this.#stopped = true;
    await Promise.all(this.#running);
    if (this.#firstFailure !== null) throw this.#firstFailure;
  }

  async #run(random: SeededRandom): Promise<void> {
    const known = new Map<string, number>();
    let client = this.#nextClient++;
    while (!this.#stopped) {
      const endpoint = pick(random, this.#options.endpoints());
      const connection = memberClient(endpoint);
      // A client stays with a member for a while, or until that one fails.
      const requests = 20 + random.below(100);
      for (let i = 0; i < requests && !this.#stopped; i++) {
        const input = this.#drawn(random, known);
        const callTime = performance.now();
        const outcome = await connection.unary(kvMethods[input.kind], kvRequest(input), {
          timeoutMilliseconds: callMilliseconds,
        });
        const returnTime = performance.now();
        const output =
          "ok" in outcome
            ? kvResponse(input.kind, outcome.ok as never)
            : kvError(outcome.error.details);
        if (output !== null) {
          this.#answered({ client, input, callTime, outcome: { kind: "ok", output, returnTime } });
          note(known, input, output);
          await Bun.sleep(random.next() * 2 * this.#options.pauseMs);
          continue;
        }
        this.entries.push({ client, input, callTime, outcome: { kind: "unknown" } });
        if (input.kind === "lease-grant") this.#granted(input.lease, callTime);
        client = this.#nextClient++;
        if ("error" in outcome) this.#count(`${outcome.error.code} ${outcome.error.details}`);
        await Bun.sleep(afterErrorMilliseconds);
        break;
      }
      connection.close();
    }
  }

  #answered(entry: KvEntry): void {
    this.entries.push(entry);
    const { input, outcome, callTime } = entry;
    if (outcome.kind !== "ok" || outcome.output.kind === "error") return;
    if (input.kind === "lease-grant") this.#granted(input.lease, callTime);
    if (input.kind === "put" || input.kind === "txn" || input.kind === "delete-range") {
      this.acknowledgedWrites++;
    }
  }

  /** Its expiry, which no client asks for. */
  #granted(lease: bigint, callTime: number): void {
    this.#leases.push(lease);
    this.entries.push({
      client: this.#nextClient++,
      input: { kind: "lease-revoke", lease },
      callTime,
      outcome: { kind: "unknown" },
    });
  }

  #count(text: string): void {
    // Ports, times and what the client library tells of itself differ from call to call.
    const general = text
      .replace(/127\.0\.0\.1:\d+/g, "ADDRESS")
      .replace(/(after|Last error:).*/, "$1 ...");
    this.errors.set(general, (this.errors.get(general) ?? 0) + 1);
  }

  #drawn(random: SeededRandom, known: ReadonlyMap<string, number>): KvRequest {
    const key = `${prefix}${random.below(this.#options.keys)}`;
    const draw = random.next();
    if (draw < 0.3) return this.#put(key);
    if (draw < 0.55) return range(key);
    if (draw < 0.63) return { ...range(prefix), rangeEnd: prefixEnd };
    if (draw < 0.7) return { ...range(key), serializable: true };
    if (draw < 0.82) return this.#compareAndSet(key, known.get(key) ?? 0);
    if (draw < 0.9) return this.#several(random, key);
    if (draw < 0.95) return { kind: "delete-range", key, rangeEnd: "" };
    return this.#leased(random, key);
  }

  #put(key: string, lease = 0n): PutRequest {
    return { kind: "put", key, value: `v${this.#nextValue++}`, lease };
  }

  #compareAndSet(key: string, modRevision: number): KvRequest {
    const compare: Compare = {
      key,
      rangeEnd: "",
      target: "mod",
      result: "equal",
      operand: modRevision,
    };
    const success = [this.#put(key), range(key)];
    return { kind: "txn", compares: [compare], success, failure: [range(key)] };
  }

  /** Two keys written and one deleted at once; the mark tells whether it happened. */
  #several(random: SeededRandom, key: string): KvRequest {
    const other = `${prefix}${(Number(key.slice(prefix.length)) + 1) % this.#options.keys}`;
    const second = random.chance(0.5)
      ? this.#put(other)
      : ({ kind: "delete-range", key: other, rangeEnd: "" } as const);
    return {
      kind: "txn",
      compares: [],
      success: [this.#put(key), second, this.#put(`${prefix}mark`)],
      failure: [],
    };
  }

  #leased(random: SeededRandom, key: string): KvRequest {
    const draw = random.next();
    if (draw < 0.3 || this.#leases.length === 0) {
      return { kind: "lease-grant", lease: BigInt(this.#nextLease++) };
    }
    const lease = this.#leases[Math.max(0, this.#leases.length - 1 - random.below(4))]!;
    return draw < 0.8 ? this.#put(key, lease) : { kind: "lease-revoke", lease };
  }
}

function range(key: string): RangeRequest {
  return {
    kind: "range",
    key,
    rangeEnd: "",
    revision: 0,
    limit: 0,
    countOnly: false,
    serializable: false,
  };
}

/** What a client knows of its keys' revisions, for its next compare. */
function note(known: Map<string, number>, input: KvRequest, output: KvResponse): void {
  if (output.kind === "range" && input.kind === "range") {
    for (const each of output.keyValues ?? []) known.set(each.key, each.modRevision);
  }
  if (output.kind === "put" && input.kind === "put") known.set(input.key, output.revision);
  if (output.kind !== "txn" || input.kind !== "txn") return;
  for (const [at, each] of (output.succeeded ? input.success : input.failure).entries()) {
    if (each.kind === "put") known.set(each.key, output.revision);
    else if (each.kind === "range") note(known, each, output.responses[at]!);
  }
}

function pick<Item>(random: SeededRandom, items: readonly Item[]): Item {
  return items[random.below(items.length)]!;
}
