/** Messages without entries as positional arrays, and back. See message-codec.ts. */
import { unreachable } from "../base/assert.ts";
import type { CborValue } from "../base/cbor.ts";
import type { Configuration, Message } from "../raft/index.ts";

export type ColdMessage = Exclude<Message, { kind: "append" | "propose" }>;

const TAGS = {
  "pre-vote": 1,
  "pre-vote-response": 2,
  vote: 3,
  "vote-response": 4,
  "append-accepted": 5,
  "append-rejected": 6,
  heartbeat: 7,
  "heartbeat-response": 8,
  snapshot: 9,
  "term-notice": 10,
  "read-index": 11,
  "read-index-response": 12,
  "transfer-leadership": 13,
  "timeout-now": 14,
} as const satisfies Record<ColdMessage["kind"], number>;

const KINDS = new Map<CborValue | undefined, ColdMessage["kind"]>();
for (const [kind, tag] of Object.entries(TAGS)) KINDS.set(tag, kind as ColdMessage["kind"]);

/** Members in one configuration; etcd's clusters have seven at most, ours must only be bounded. */
const MEMBERS_MAX = 1000;

export function fieldsOf(message: ColdMessage): CborValue[] {
  return [TAGS[message.kind], message.term, ...ownFields(message)];
}

function ownFields(m: ColdMessage): CborValue[] {
  switch (m.kind) {
    case "pre-vote":
      return [m.commit, m.commitTerm, m.lastIndex, m.lastTerm];
    case "vote":
      return [m.commit, m.commitTerm, m.lastIndex, m.lastTerm, m.transfer];
    case "pre-vote-response":
    case "vote-response":
      return [m.commit, m.commitTerm, m.granted];
    case "append-accepted":
      return [m.index];
    case "append-rejected":
      return [m.index, m.hintIndex, m.hintTerm];
    case "heartbeat":
      return [m.commit, m.readRound, m.tick];
    case "heartbeat-response":
      return [m.readRound, m.tick];
    case "snapshot": {
      const { index, term, configuration } = m.snapshot;
      return [index, term, configuration.voters, configuration.learners];
    }
    case "term-notice":
    case "timeout-now":
      return [];
    case "read-index":
      return [m.id];
    case "read-index-response":
      return [m.id, m.index];
    case "transfer-leadership":
      return [m.target];
    default:
      return unreachable(m);
  }
}

/** Null when the fields are not those of a message. */
export function messageOfFields(
  values: readonly CborValue[],
  from: bigint,
  to: bigint,
): ColdMessage | null {
  const kind = KINDS.get(values[0]);
  if (kind === undefined) return null;
  const fields = new Fields(values);
  const message = read(kind, fields, { from, to, term: fields.number() });
  return fields.areTaken() ? message : null;
}

/** Evaluated in the order in which they are written: fields are read one after the other. */
function read(
  kind: ColdMessage["kind"],
  f: Fields,
  header: { from: bigint; to: bigint; term: number },
): ColdMessage {
  switch (kind) {
    case "pre-vote":
      return { kind, ...header, ...commitMark(f), lastIndex: f.number(), lastTerm: f.number() };
    case "vote": {
      const mark = { ...commitMark(f), lastIndex: f.number(), lastTerm: f.number() };
      return { kind, ...header, ...mark, transfer: f.flag() };
    }
    case "pre-vote-response":
    case "vote-response":
      return { kind, ...header, ...commitMark(f), granted: f.flag() };
    case "append-accepted":
      return { kind, ...header, index: f.number() };
    case "append-rejected":
      return { kind, ...header, index: f.number(), hintIndex: f.number(), hintTerm: f.number() };
    case "heartbeat":
      return { kind, ...header, commit: f.number(), readRound: f.number(), tick: f.number() };
    case "heartbeat-response":
      return { kind, ...header, readRound: f.number(), tick: f.number() };
    case "snapshot": {
      const mark = { index: f.number(), term: f.number() };
      const configuration = f.configuration();
      return { kind, ...header, snapshot: { ...mark, configuration } };
    }
    case "term-notice":
    case "timeout-now":
      return { kind, ...header };
    case "read-index":
      return { kind, ...header, id: f.number() };
    case "read-index-response":
      return { kind, ...header, id: f.number(), index: f.number() };
    case "transfer-leadership":
      return { kind, ...header, target: f.id() };
    default:
      return unreachable(kind);
  }
}

function commitMark(f: Fields): { commit: number; commitTerm: number } {
  return { commit: f.number(), commitTerm: f.number() };
}

/** Takes fields in order; a wrong one gives a harmless value and is remembered. */
class Fields {
  readonly #values: readonly CborValue[];
  /** Behind the tag. */
  #at = 1;
  #isGood = true;

  constructor(values: readonly CborValue[]) {
    this.#values = values;
  }

  number(): number {
    const value = this.#values[this.#at++];
    if (typeof value === "number" && Number.isSafeInteger(value) && value >= 0) return value;
    this.#isGood = false;
    return 0;
  }

  flag(): boolean {
    const value = this.#values[this.#at++];
    this.#isGood &&= typeof value === "boolean";
    return value === true;
  }

  id(): bigint {
    const value = this.#values[this.#at++];
    if (isId(value)) return value;
    this.#isGood = false;
    return 0n;
  }

  /** No member 0, nobody twice: raft takes these for granted. */
  configuration(): Configuration {
    const voters = this.#ids();
    const learners = this.#ids();
    const all = new Set([...voters, ...learners]);
    this.#isGood &&= all.size === voters.length + learners.length && !all.has(0n);
    return { voters, learners };
  }

  #ids(): bigint[] {
    const value = this.#values[this.#at++];
    if (Array.isArray(value) && value.length <= MEMBERS_MAX && value.every(isId)) return value;
    this.#isGood = false;
    return [];
  }

  /** All were good, and there are no more. */
  areTaken(): boolean {
    return this.#isGood && this.#at === this.#values.length;
  }
}

function isId(value: unknown): value is bigint {
  return typeof value === "bigint" && value >= 0n && value < 1n << 64n;
}
