/**
 * Questions that only the leader can answer, and that change nothing in the log. They wait while no leader is known,
 * are answered here while this member leads, and go to the leader else: all that came in one turn in one request.
 * What was asked of a leader that is gone, or got no answer, is asked again until its time is up, so a question must
 * be harmless when it is asked twice.
 */
import {
  type EtcdError,
  errNoLeader,
  errRequestTooManyRequests,
  errTimeout,
} from "../api/index.ts";
import type { Clock, Timer } from "../io/index.ts";
import type { PeerAnswer, PeerTransport } from "../peer/index.ts";
import { decodeError, STATUS_ERROR, STATUS_OK } from "./lease-messages.ts";
import type { RaftView } from "./raft-view.ts";

export interface LeaderQuestion {
  /** Monotonic milliseconds when it was first asked. */
  readonly sinceMs: number;
  /** Answered, or nobody waits for it any more. */
  readonly settled: boolean;
  fail(error: EtcdError): void;
}

export interface LeaderQuestionsOptions<Question> {
  readonly raft: RaftView;
  readonly clock: Clock;
  readonly transport: Pick<PeerTransport, "request">;
  /** The name of the request to the leader. */
  readonly name: string;
  readonly timeoutMs: number;
  readonly questionsPerRequestMax: number;
  /** The term in which this member may answer itself, else 0. */
  readonly leadingTerm: () => number;
  /** Answers here; what turns out to belong to another leader is given to `ask` again. */
  readonly serve: (questions: readonly Question[]) => void;
  readonly encode: (questions: readonly Question[]) => Uint8Array;
  /** Takes the leader's answer; false when it is not understood. */
  readonly take: (questions: readonly Question[], body: Uint8Array) => boolean;
}

interface Request<Question> {
  readonly leader: bigint;
  readonly questions: readonly Question[];
}

/** After a question found no leader at the other end (etcd's pause). */
const RETRY_MS = 50;
const REVIEW_INTERVAL_MS = 500;
const WAITING_MAX = 100_000;
/** Requests on their way at once; what comes meanwhile joins the next. */
const REQUESTS_MAX = 16;

export class LeaderQuestions<Question extends LeaderQuestion> {
  readonly #options: LeaderQuestionsOptions<Question>;
  #waiting: Question[] = [];
  readonly #requests = new Set<Request<Question>>();
  #flushScheduled = false;
  #retryTimer: Timer | null = null;
  #reviewTimer: Timer | null = null;
  #stopped = false;

  constructor(options: LeaderQuestionsOptions<Question>) {
    this.#options = options;
    options.raft.onLeadership(() => this.#onLeadership());
  }

  ask(question: Question): void {
    const { clock, timeoutMs } = this.#options;
    if (this.#stopped || question.settled) return;
    if (question.sinceMs + timeoutMs <= clock.monotonicMs()) {
      question.fail(this.#timeoutError());
      return;
    }
    if (this.#waiting.length >= WAITING_MAX) {
      question.fail(errRequestTooManyRequests);
      return;
    }
    this.#waiting.push(question);
    this.#reviewTimer ??= clock.setTimer(REVIEW_INTERVAL_MS, () => this.#review());
    if (this.#retryTimer === null) this.#flushSoon();
  }

  stop(): void {
    this.#stopped = true;
    this.#retryTimer?.cancel();
    this.#reviewTimer?.cancel();
    this.#waiting = [];
    this.#requests.clear();
  }

  #flushSoon(): void {
    if (this.#flushScheduled) return;
    this.#flushScheduled = true;
    this.#options.clock.soon(() => {
      this.#flushScheduled = false;
      this.#flush();
    });
  }

  #flush(): void {
    const { raft, leadingTerm, questionsPerRequestMax, serve } = this.#options;
    const leader = raft.leader();
    const isHere = leader === raft.memberId;
    // A new leader whose state is not complete announces itself when it is.
    if (this.#stopped || leader === 0n || (isHere && leadingTerm() === 0)) return;
    this.#waiting = this.#waiting.filter((question) => !question.settled);
    while (this.#waiting.length > 0 && (isHere || this.#requests.size < REQUESTS_MAX)) {
      const questions = this.#waiting.splice(0, questionsPerRequestMax);
      if (isHere) serve(questions);
      else this.#send({ leader, questions });
    }
  }

  #send(request: Request<Question>): void {
    const { transport, clock, name, timeoutMs, encode } = this.#options;
    const { leader, questions } = request;
    let oldestMs = Number.POSITIVE_INFINITY;
    for (const { sinceMs } of questions) oldestMs = Math.min(oldestMs, sinceMs);
    const leftMs = Math.max(1, oldestMs + timeoutMs - clock.monotonicMs());
    this.#requests.add(request);
    transport.request(leader, name, encode(questions), leftMs, (answer) => {
      // Otherwise it was taken back when leadership changed.
      if (this.#requests.delete(request)) this.#answered(questions, answer);
    });
  }

  #answered(questions: readonly Question[], answer: PeerAnswer | null): void {
    const error = answer?.status === STATUS_ERROR ? decodeError(answer.body) : null;
    if (error !== null) {
      for (const question of questions) if (!question.settled) question.fail(error);
    } else if (answer?.status !== STATUS_OK || !this.#options.take(questions, answer.body)) {
      this.#askLater(questions);
    }
    if (this.#waiting.length > 0 && this.#retryTimer === null) this.#flushSoon();
  }

  #askLater(questions: readonly Question[]): void {
    this.#retryTimer ??= this.#options.clock.setTimer(RETRY_MS, () => {
      this.#retryTimer = null;
      this.#flush();
    });
    for (const question of questions) this.ask(question);
  }

  #onLeadership(): void {
    if (this.#stopped) return;
    const leader = this.#options.raft.leader();
    for (const request of this.#requests) {
      if (request.leader === leader) continue;
      this.#requests.delete(request);
      for (const question of request.questions) this.ask(question);
    }
    if (this.#waiting.length > 0) this.#flushSoon();
  }

  #timeoutError(): EtcdError {
    return this.#options.raft.leader() === 0n ? errNoLeader : errTimeout;
  }

  /** Fails what is overdue, wherever it waits. */
  #review(): void {
    this.#reviewTimer = null;
    const { clock, timeoutMs } = this.#options;
    const beforeMs = clock.monotonicMs() - timeoutMs;
    const isOverdue = (question: Question) => !question.settled && question.sinceMs <= beforeMs;
    const overdue = this.#waiting.filter(isOverdue);
    for (const { questions } of this.#requests) overdue.push(...questions.filter(isOverdue));
    this.#waiting = this.#waiting.filter((question) => !question.settled && !isOverdue(question));
    if (this.#waiting.length > 0 || this.#requests.size > 0) {
      this.#reviewTimer = clock.setTimer(REVIEW_INTERVAL_MS, () => this.#review());
    }
    for (const question of overdue) question.fail(this.#timeoutError());
  }
}
