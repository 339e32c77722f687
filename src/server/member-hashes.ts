/**
 * Hashes of the data, for comparing: computes this member's own, answers other members' questions, and asks them.
 * The corruption checker is its caller. Hashing runs in slices between everything else, one hash at a time; whoever
 * wants the same revision shares it, and beyond a bound questions are turned away.
 */
import { assert } from "../base/assert.ts";
import type { Membership } from "../cluster/index.ts";
import type { Database } from "../database/index.ts";
import type { Clock } from "../io/index.ts";
import {
  type KeyValueHash,
  KeyValueHashTask,
  type RevisionProblem,
  type Store,
} from "../mvcc/index.ts";
import type { PeerTransport } from "../peer/index.ts";
import type { Background } from "./background.ts";
import {
  decodeHashAnswer,
  decodeHashQuestion,
  encodeHashAnswer,
  encodeHashQuestion,
  HASH_KV,
  type HashAnswer,
  type HashQuestion,
} from "./hash-messages.ts";
import { type PeerRequests, STATUS_UNKNOWN_REQUEST } from "./peer-requests.ts";

/** About a millisecond of work. */
const ROWS_PER_STEP = 1000;
/** Different revisions that may wait to be hashed. */
const WAITING_MAX = 16;
/** Hashing a large store takes its time; a dead member is noticed by its connection long before. */
export const HASH_TIMEOUT_MS = 30_000;
/** A member that is not connected yet is asked again so often. */
const RETRY_MS = 100;

/** What one of the others answered; null when it could not be asked. */
export interface MemberAnswer {
  readonly member: bigint;
  readonly answer: HashAnswer | null;
}

type HashResult = KeyValueHash | RevisionProblem;

interface Job {
  readonly revision: number;
  readonly waiting: ((result: HashResult) => void)[];
}

export interface MemberHashesParts {
  readonly store: Store;
  readonly database: Database;
  readonly membership: Membership;
  readonly background: Background;
  readonly transport: PeerTransport;
  readonly peerRequests: PeerRequests;
  readonly clock: Clock;
  readonly memberId: bigint;
}

export class MemberHashes {
  readonly #parts: MemberHashesParts;
  readonly #jobs: Job[] = [];
  #running: KeyValueHashTask | null = null;
  #stopped = false;

  constructor(parts: MemberHashesParts) {
    this.#parts = parts;
    parts.peerRequests.register(HASH_KV, (_from, body, respond) => {
      const question = decodeHashQuestion(body);
      if (question === null) respond({ status: STATUS_UNKNOWN_REQUEST, body: new Uint8Array(0) });
      else this.#serve(question, (answer) => respond(encodeHashAnswer(answer)));
    });
  }

  /** This member's own hash at a revision. Never answered once the member is stopped. */
  compute(revision: number, done: (result: HashResult) => void): void {
    if (this.#stopped) return;
    const same = this.#jobs.find((job) => job.revision === revision);
    if (same !== undefined) {
      same.waiting.push(done);
      return;
    }
    this.#jobs.push({ revision, waiting: [done] });
    if (this.#jobs.length === 1) this.#begin();
  }

  /**
   * Asks all other members, learners too, at once; `done` gets their answers in the order of their ids. Who is not
   * connected is tried for `patienceMs`.
   */
  askAll(
    question: HashQuestion,
    patienceMs: number,
    done: (answers: readonly MemberAnswer[]) => void,
  ): void {
    const { membership, memberId, clock } = this.#parts;
    const others = membership.members().filter(({ id }) => id !== memberId);
    const answers: MemberAnswer[] = [];
    if (others.length === 0) {
      done(answers);
      return;
    }
    const body = encodeHashQuestion(question);
    const untilMs = clock.monotonicMs() + patienceMs;
    let missing = others.length;
    others.forEach(({ id }, place) => {
      this.#ask(id, body, untilMs, (answer) => {
        answers[place] = { member: id, answer };
        if (--missing === 0 && !this.#stopped) done(answers);
      });
    });
  }

  stop(): void {
    this.#stopped = true;
    this.#running?.close();
    this.#running = null;
    this.#jobs.length = 0;
  }

  #ask(
    member: bigint,
    body: Uint8Array,
    untilMs: number,
    done: (answer: HashAnswer | null) => void,
  ): void {
    const { transport, clock } = this.#parts;
    transport.request(member, HASH_KV, body, HASH_TIMEOUT_MS, (answer) => {
      if (this.#stopped) return;
      if (answer !== null) done(decodeHashAnswer(answer));
      else if (clock.monotonicMs() >= untilMs) done(null);
      else clock.setTimer(RETRY_MS, () => this.#ask(member, body, untilMs, done));
    });
  }

  #serve({ revision, compactRevision }: HashQuestion, respond: (answer: HashAnswer) => void): void {
    const { store } = this.#parts;
    const kept = store
      .compactionHashes()
      .find((hash) => hash.hashRevision === revision && hash.compactRevision === compactRevision);
    const currentRevision = store.revision();
    if (kept !== undefined) {
      respond({ kind: "hash", hash: kept, currentRevision });
    } else if (store.revisionProblem(revision) !== undefined) {
      respond({ kind: store.revisionProblem(revision)!, currentRevision });
    } else if (store.compactRevision() !== compactRevision) {
      const other = store.compactRevision();
      respond({ kind: "other-compaction", compactRevision: other, currentRevision });
    } else if (this.#stopped || this.#isFullFor(revision)) {
      respond({ kind: "busy" });
    } else {
      this.compute(revision, (result) => this.#answer(result, respond));
    }
  }

  #isFullFor(revision: number): boolean {
    const isShared = this.#jobs.some((job) => job.revision === revision);
    return !isShared && this.#jobs.length >= WAITING_MAX;
  }

  #answer(result: HashResult, respond: (answer: HashAnswer) => void): void {
    const currentRevision = this.#parts.store.revision();
    if (typeof result === "string") respond({ kind: result, currentRevision });
    else respond({ kind: "hash", hash: result, currentRevision });
  }

  #begin(): void {
    const { store, database, background } = this.#parts;
    const job = this.#jobs[0];
    if (job === undefined) return;
    const hashing = store.beginHash(job.revision, true);
    if (typeof hashing === "string") {
      this.#finish(job, hashing);
      return;
    }
    assert(hashing instanceof KeyValueHashTask, "a hash that is computed anew");
    this.#running = hashing;
    // Only what is in the tree is hashed.
    database.commit(() => background.add(() => this.#step(job, hashing)));
  }

  #step(job: Job, hashing: KeyValueHashTask): boolean {
    if (this.#stopped) return false;
    const done = hashing.step(ROWS_PER_STEP);
    if (done === false) return true;
    this.#running = null;
    this.#finish(job, done === true ? hashing.result() : done);
    return false;
  }

  #finish(job: Job, result: HashResult): void {
    this.#jobs.shift();
    for (const waiting of job.waiting) waiting(result);
    this.#begin();
  }
}
