/**
 * One LeaseKeepAlive stream: an answer for each request, in the order of the requests. Many renewals of a stream may
 * be under way at once, so on a follower they share the way to the leader.
 */
import type {
  EtcdError,
  LeaseKeepAliveRequest,
  LeaseKeepAliveResponseInit,
  RequestStream,
  ResponseHeaderInit,
  StreamCall,
} from "../api/index.ts";
import type { Lease } from "../lease/index.ts";
import type { LeaderQuestion } from "./leader-questions.ts";

/** What a stream has under way at most before it takes no further request. */
const UNANSWERED_MAX = 1000;
const UNANSWERED = -1;

/** One request of a stream on its way. */
export class Renewal implements LeaderQuestion {
  readonly id: bigint;
  readonly sinceMs: number;
  readonly header: ResponseHeaderInit;
  readonly #session: LeaseKeepAliveSession;
  /** Of an expired lease: what is to be gone before the answer; undefined when it is. */
  lease: Lease | undefined = undefined;
  seconds = UNANSWERED;

  constructor(
    id: bigint,
    sinceMs: number,
    header: ResponseHeaderInit,
    session: LeaseKeepAliveSession,
  ) {
    this.id = id;
    this.sinceMs = sinceMs;
    this.header = header;
    this.#session = session;
  }

  get settled(): boolean {
    return this.seconds !== UNANSWERED || this.#session.closed;
  }

  /** 0 for a lease that is not there. */
  succeed(seconds: number): void {
    if (this.settled) return;
    this.seconds = seconds;
    this.#session.flush();
  }

  fail(error: EtcdError): void {
    this.#session.fail(error);
  }
}

export interface LeaseKeepAliveOwner {
  nowMs(): number;
  /** Taken before the renewal, as etcd does: its revision is no newer than the renewal. */
  header(): ResponseHeaderInit;
  /** Seconds, or -1 when `renew` has to do it. */
  renewNow(id: bigint): number;
  renew(renewal: Renewal): void;
}

export class LeaseKeepAliveSession {
  readonly #owner: LeaseKeepAliveOwner;
  readonly #requests: RequestStream<LeaseKeepAliveRequest>;
  readonly #call: StreamCall<LeaseKeepAliveResponseInit>;
  readonly #renewals: Renewal[] = [];
  /** The client has not taken what it was sent. */
  #isFull = false;
  #isPaused = false;
  #clientEnded = false;
  closed = false;

  constructor(
    owner: LeaseKeepAliveOwner,
    requests: RequestStream<LeaseKeepAliveRequest>,
    call: StreamCall<LeaseKeepAliveResponseInit>,
  ) {
    this.#owner = owner;
    this.#requests = requests;
    this.#call = call;
  }

  start(): void {
    this.#call.onAbort(() => {
      this.closed = true;
    });
    this.#call.onDrain(() => {
      this.#isFull = false;
      this.flush();
    });
    this.#requests.onEnd(() => {
      this.#clientEnded = true;
      this.flush();
    });
    this.#requests.onMessage((request) => this.#renew(request.ID));
  }

  #renew(id: bigint): void {
    const header = this.#owner.header();
    const seconds = this.#owner.renewNow(id);
    if (seconds !== UNANSWERED && this.#renewals.length === 0 && !this.#isFull) {
      this.#send({ header, ID: id, TTL: seconds });
      this.#pauseOrResume();
      return;
    }
    const renewal = new Renewal(id, this.#owner.nowMs(), header, this);
    this.#renewals.push(renewal);
    if (seconds === UNANSWERED) this.#owner.renew(renewal);
    else renewal.succeed(seconds);
    this.#pauseOrResume();
  }

  /** Sends what is answered, as far as the order allows. */
  flush(): void {
    if (this.closed) return;
    const renewals = this.#renewals;
    let sent = 0;
    while (sent < renewals.length && !this.#isFull) {
      const { seconds, id, header } = renewals[sent]!;
      if (seconds === UNANSWERED) break;
      this.#send({ header, ID: id, TTL: seconds });
      sent++;
    }
    renewals.splice(0, sent);
    if (this.#clientEnded && renewals.length === 0) {
      this.closed = true;
      this.#call.end();
    } else {
      this.#pauseOrResume();
    }
  }

  fail(error: EtcdError): void {
    if (this.closed) return;
    this.closed = true;
    this.#call.fail(error);
  }

  #send(response: LeaseKeepAliveResponseInit): void {
    if (!this.#call.send(response)) this.#isFull = true;
  }

  #pauseOrResume(): void {
    if (this.closed) return;
    const pause = this.#isFull || this.#renewals.length >= UNANSWERED_MAX;
    if (pause === this.#isPaused) return;
    this.#isPaused = pause;
    if (pause) this.#requests.pause();
    else this.#requests.resume();
  }
}
