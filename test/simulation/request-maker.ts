/** Makes the requests of the clients of one run, from what they learned so far. */
import type { SeededRandom } from "../disk/seeded-random.ts";
import type {
  Compare,
  KvRequest,
  KvResponse,
  RangeRequest,
  TxnOperation,
} from "./checkers/kv-operations.ts";

/** How often each kind is asked, relative to the others. */
export interface RequestMix {
  readonly put: number;
  readonly get: number;
  readonly range: number;
  readonly staleRange: number;
  readonly pastRange: number;
  readonly delete: number;
  readonly deleteRange: number;
  readonly compareAndSwap: number;
  readonly multiTxn: number;
  readonly wideTxn: number;
  readonly pastTxn: number;
  readonly compact: number;
  readonly grant: number;
  readonly leasedPut: number;
  readonly revoke: number;
  readonly renew: number;
}

const LARGE_VALUE_BYTES = 3000;
const WIDE_KEYS = 30;

export class RequestMaker {
  readonly #mix: RequestMix;
  readonly #keys: number;
  readonly #total: number;
  #values = 0;
  #nextLease = 1n;
  /** Of keys, as last seen by anybody. */
  readonly #modRevisions = new Map<string, number>();
  #leases: bigint[] = [];
  #deleteRevision = 0;
  revision = 1;
  compactRevision = 0;

  constructor(mix: RequestMix, keys: number) {
    this.#mix = mix;
    this.#keys = keys;
    this.#total = Object.values(mix).reduce((sum, each) => sum + each, 0);
  }

  /** A lease to renew, when that is what comes next. */
  renewal(random: SeededRandom): bigint | null {
    if (this.#leases.length === 0) return null;
    if (!random.chance(this.#mix.renew / (this.#total + 1))) return null;
    return this.#leases[random.below(this.#leases.length)]!;
  }

  next(random: SeededRandom, _member: unknown): KvRequest {
    let at = random.next() * (this.#total - this.#mix.renew);
    for (const [kind, weight] of Object.entries(this.#mix)) {
      if (kind === "renew") continue;
      at -= weight;
      if (at < 0) return this.#make(kind as keyof RequestMix, random);
    }
    return this.#put(random);
  }

  #make(kind: keyof RequestMix, random: SeededRandom): KvRequest {
    switch (kind) {
      case "get":
        return range(this.#key(random));
      case "range":
        return range("k", { rangeEnd: "l", limit: random.below(4), countOnly: random.chance(0.1) });
      case "staleRange":
        return range("k", { rangeEnd: "l", serializable: true });
      case "pastRange":
        return range("k", { rangeEnd: "l", revision: this.#past(random) });
      case "delete":
        return { kind: "delete-range", key: this.#key(random), rangeEnd: "" };
      case "deleteRange": {
        const first = random.below(this.#keys);
        return { kind: "delete-range", key: keyAt(first), rangeEnd: keyAt(first + 2) };
      }
      case "compareAndSwap":
        return this.#compareAndSwap(random);
      case "multiTxn":
        return this.#multiTxn(random);
      case "wideTxn":
        return this.#wideTxn(random);
      case "pastTxn":
        return this.#pastTxn(random);
      case "compact":
        return { kind: "compact", revision: this.#compactAt(random) };
      case "grant":
        return { kind: "lease-grant", lease: this.#nextLease++ };
      case "revoke": {
        const lease = this.#lease(random);
        return lease === 0n ? this.#put(random) : { kind: "lease-revoke", lease };
      }
      case "leasedPut":
        return this.#put(random, this.#lease(random));
      default:
        return this.#put(random);
    }
  }

  /** What an answer told: clients of one program share what they know. */
  learn(request: KvRequest, answer: KvResponse): void {
    if (answer.kind === "error") return;
    this.revision = Math.max(this.revision, answer.revision);
    if (request.kind === "put") this.#modRevisions.set(request.key, answer.revision);
    if (answer.kind === "delete-range" && answer.deleted > 0) {
      this.#deleteRevision = answer.revision;
    }
    if (request.kind === "lease-grant") this.#leases.push(request.lease);
    if (request.kind === "compact")
      this.compactRevision = Math.max(this.compactRevision, request.revision);
    if (this.#leases.length > 12) this.#leases.shift();
    if (answer.kind !== "range") return;
    for (const each of answer.keyValues ?? []) this.#modRevisions.set(each.key, each.modRevision);
  }

  /** The lease is known to be gone. */
  forget(lease: bigint): void {
    this.#leases = this.#leases.filter((each) => each !== lease);
  }

  #compareAndSwap(random: SeededRandom): KvRequest {
    const key = this.#key(random);
    const operand = this.#modRevisions.get(key) ?? 0;
    const compare: Compare = { key, rangeEnd: "", target: "mod", result: "equal", operand };
    const put = { kind: "put", key, value: this.#value(random), lease: 0n } as const;
    return { kind: "txn", compares: [compare], success: [put], failure: [range(key)] };
  }

  #multiTxn(random: SeededRandom): KvRequest {
    const first = random.below(this.#keys);
    const [a, b, c] = [keyAt(first), keyAt(first + 1), keyAt(first + 2)];
    const success: TxnOperation[] = [
      { kind: "put", key: a!, value: this.#value(random), lease: 0n },
      range(b!),
      { kind: "put", key: c!, value: this.#value(random), lease: 0n },
    ];
    if (random.chance(0.4)) success.push({ kind: "delete-range", key: b!, rangeEnd: "" });
    const failure: TxnOperation[] = [{ kind: "delete-range", key: a!, rangeEnd: "" }];
    const operand = random.below(6);
    const compare: Compare = { key: b!, rangeEnd: "", target: "version", result: "less", operand };
    return { kind: "txn", compares: [compare], success, failure };
  }

  /** Many rows at one revision: compactions of them take several steps. */
  #wideTxn(random: SeededRandom): KvRequest {
    const success: TxnOperation[] = [];
    for (let i = 0; i < WIDE_KEYS; i++) {
      success.push({ kind: "put", key: `kw${i}`, value: this.#value(random), lease: 0n });
    }
    return { kind: "txn", compares: [], success, failure: [] };
  }

  /** Writes and reads the past: refused as a whole when that was compacted. */
  #pastTxn(random: SeededRandom): KvRequest {
    const put = {
      kind: "put",
      key: this.#key(random),
      value: this.#value(random),
      lease: 0n,
    } as const;
    const past = range(this.#key(random), { revision: this.#past(random) });
    return { kind: "txn", compares: [], success: [past, put], failure: [] };
  }

  #put(random: SeededRandom, lease = 0n): KvRequest {
    return { kind: "put", key: this.#key(random), value: this.#value(random), lease };
  }

  /** Often exactly where a key was deleted: such a row stays, alone. */
  #compactAt(random: SeededRandom): number {
    const deleted = this.#deleteRevision;
    if (deleted > this.compactRevision && random.chance(0.5)) return deleted;
    return Math.max(1, this.revision - (random.chance(0.5) ? 0 : random.below(12)));
  }

  #past(random: SeededRandom): number {
    return Math.max(1, this.revision - random.below(random.chance(0.5) ? 4 : 30));
  }

  #key(random: SeededRandom): string {
    return keyAt(random.below(this.#keys));
  }

  #lease(random: SeededRandom): bigint {
    const { length } = this.#leases;
    return length === 0 ? 0n : this.#leases[random.below(length)]!;
  }

  /** Written once in the whole run. */
  #value(random: SeededRandom): string {
    const name = `v${this.#values++}`;
    return random.chance(0.02) ? name.padEnd(LARGE_VALUE_BYTES, ".") : name;
  }
}

function keyAt(at: number): string {
  return `k${at.toString(36).padStart(2, "0")}`;
}

function range(key: string, rest: Partial<RangeRequest> = {}): RangeRequest {
  const plain = { rangeEnd: "", revision: 0, limit: 0, countOnly: false, serializable: false };
  return { kind: "range", key, ...plain, ...rest };
}
