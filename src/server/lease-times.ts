/** Times to live: the leader's clock knows them. Answered here while this member leads, asked of the leader else. */
import type { EtcdError, LeaseTimeToLiveResponseInit, UnaryCall } from "../api/index.ts";
import type { Clock } from "../io/index.ts";
import type { Lessor } from "../lease/index.ts";
import type { PeerTransport } from "../peer/index.ts";
import { type LeaderQuestion, LeaderQuestions } from "./leader-questions.ts";
import type { LeaseKeeper } from "./lease-keeper.ts";
import {
  decodeTimes,
  decodeTimesQueries,
  encodeTimes,
  encodeTimesQueries,
  errorAnswer,
  LEASE_TIME_TO_LIVE,
  type LeaseTimes,
  type LeaseTimesQuery,
  NOT_LEADING_ANSWER,
  okAnswer,
} from "./lease-messages.ts";
import type { PeerRequestHandler } from "./peer-requests.ts";
import type { RaftView } from "./raft-view.ts";
import type { Reads } from "./reads.ts";
import type { HeaderFactory } from "./response-header.ts";

export interface LeaseTimesParts {
  readonly lessor: Lessor;
  readonly clock: Clock;
  readonly raft: RaftView;
  readonly transport: Pick<PeerTransport, "request">;
  readonly keeper: Pick<LeaseKeeper, "leadingTerm">;
  readonly reads: Pick<Reads, "wait">;
  readonly headers: HeaderFactory;
  readonly store: { revision(): number };
  readonly timeoutMs: number;
}

/** Their keys come with them: fewer in one answer than renewals. */
const QUESTIONS_PER_REQUEST_MAX = 50;
const NO_TIMES: LeaseTimes = { secondsLeft: -1, secondsGranted: 0, keys: [] };

export class LeaseTimesTeller {
  readonly #parts: LeaseTimesParts;
  readonly #questions: LeaderQuestions<TimesQuestion>;

  constructor(parts: LeaseTimesParts) {
    this.#parts = parts;
    this.#questions = new LeaderQuestions<TimesQuestion>({
      ...parts,
      name: LEASE_TIME_TO_LIVE,
      questionsPerRequestMax: QUESTIONS_PER_REQUEST_MAX,
      leadingTerm: () => parts.keeper.leadingTerm(),
      serve: (questions) => this.#serve(questions),
      encode: encodeTimesQueries,
      take: (questions, body) => this.#take(questions, body),
    });
  }

  tell(query: LeaseTimesQuery, call: UnaryCall<LeaseTimeToLiveResponseInit>): void {
    const { clock, keeper } = this.#parts;
    const question = new TimesQuestion(query, clock.monotonicMs(), call);
    if (keeper.leadingTerm() === 0) this.#questions.ask(question);
    else this.#serve([question]);
  }

  readonly handlePeer: PeerRequestHandler = (_from, body, respond) => {
    const queries = decodeTimesQueries(body);
    if (queries === null) {
      respond(NOT_LEADING_ANSWER);
      return;
    }
    this.#look(queries, (result) => {
      if (result === "not-leading") respond(NOT_LEADING_ANSWER);
      else if (Array.isArray(result)) respond(okAnswer(encodeTimes(result)));
      else respond(errorAnswer(result as EtcdError));
    });
  };

  stop(): void {
    this.#questions.stop();
  }

  #serve(questions: readonly TimesQuestion[]): void {
    this.#look(questions, (result) => {
      for (const [i, question] of questions.entries()) {
        if (question.settled) continue;
        if (result === "not-leading") this.#questions.ask(question);
        else if (Array.isArray(result)) this.#answer(question, result[i]!);
        else question.fail(result as EtcdError);
      }
    });
  }

  #take(questions: readonly TimesQuestion[], body: Uint8Array): boolean {
    const times = decodeTimes(body);
    if (times?.length !== questions.length) return false;
    for (const [i, question] of questions.entries()) {
      if (!question.settled) this.#answer(question, times[i]!);
    }
    return true;
  }

  #answer(question: TimesQuestion, times: LeaseTimes): void {
    const { headers, store } = this.#parts;
    const header = headers.header(store.revision());
    const { secondsLeft, secondsGranted, keys } = times;
    question.succeed(
      secondsLeft < 0
        ? { header, ID: question.id, TTL: -1 }
        : {
            header,
            ID: question.id,
            TTL: secondsLeft,
            grantedTTL: secondsGranted,
            keys: [...keys],
          },
    );
  }

  /** A linearizable look: what was granted or revoked before the question is seen. */
  #look(
    queries: readonly LeaseTimesQuery[],
    done: (result: LeaseTimes[] | EtcdError | "not-leading") => void,
  ): void {
    const { reads, keeper } = this.#parts;
    const term = keeper.leadingTerm();
    if (term === 0) {
      done("not-leading");
      return;
    }
    reads.wait((failure) => {
      if (failure !== null) done(failure);
      else if (keeper.leadingTerm() !== term) done("not-leading");
      else done(queries.map((query) => this.#timesOf(query)));
    });
  }

  #timesOf({ id, withKeys }: LeaseTimesQuery): LeaseTimes {
    const { lessor, clock } = this.#parts;
    const lease = lessor.get(id);
    if (lease === undefined) return NO_TIMES;
    return {
      // An expired one has none left until it is revoked.
      secondsLeft: Math.max(0, lessor.remainingSeconds(lease, clock.monotonicMs())),
      secondsGranted: lease.ttlSeconds,
      keys: withKeys ? lessor.sortedKeys(id) : [],
    };
  }
}

class TimesQuestion implements LeaderQuestion, LeaseTimesQuery {
  readonly id: bigint;
  readonly withKeys: boolean;
  readonly sinceMs: number;
  readonly #call: UnaryCall<LeaseTimeToLiveResponseInit>;
  #answered = false;

  constructor(
    { id, withKeys }: LeaseTimesQuery,
    sinceMs: number,
    call: UnaryCall<LeaseTimeToLiveResponseInit>,
  ) {
    this.id = id;
    this.withKeys = withKeys;
    this.sinceMs = sinceMs;
    this.#call = call;
  }

  get settled(): boolean {
    return this.#answered || this.#call.aborted;
  }

  succeed(response: LeaseTimeToLiveResponseInit): void {
    this.#answered = true;
    this.#call.succeed(response);
  }

  fail(error: EtcdError): void {
    this.#answered = true;
    this.#call.fail(error);
  }
}
