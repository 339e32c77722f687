/**
 * How many bytes of answers may wait in this process for clients that do not read them. The pool owns one for all
 * listeners; each connection has an account with it, which counts what waits on its streams and in its socket.
 *
 * Who may hold more depends on how full the budget is, so that those who hold much are turned away first:
 * up to half, everybody; then, as long as it fits, accounts below a sixteenth of the budget; when it is full, each
 * account may hold SMALL_BYTES and no more, so that small answers go on whatever others leave unread.
 * What waits is thus at most the budget, SMALL_BYTES for each connection, what streams hold below their own bounds,
 * and the one answer that crossed the half. Short answers of calls already begun are always kept: they may be those
 * of writes. Bytes are those of the messages; a buffer that grew for one may be up to twice as long.
 *
 * While more than half waits, reviews take place. Accounts that took little of what they hold for several reviews
 * in a row are closed, the most bytes for the longest time first, until half of the budget is free again.
 */
import type { Clock, Timer } from "../../io/index.ts";

export const DEFAULT_ANSWER_BYTES_MAX = 512 * 1024 * 1024;
const SMALL_BYTES = 64 * 1024;
const REVIEW_INTERVAL_MS = 1000;
/** Reviews without progress after which an account may be closed. */
const STALLED_REVIEWS_MIN = 5;
/** Progress: this part of what it still holds was taken since the last review. */
const PROGRESS_DIVISOR = 8;

/** One connection's part. Bytes are added when they begin to wait and given back when sent or dropped. */
export class AnswerAccount {
  readonly #budget: AnswerBudget;
  /** Closes the connection. Null where there is none to close. */
  onClose: (() => void) | null = null;
  bytes = 0;
  /** Given back since the last review. */
  takenBytes = 0;
  /** Reviews in a row without progress. */
  stalledReviews = 0;

  constructor(budget: AnswerBudget) {
    this.#budget = budget;
  }

  add(bytes: number): void {
    if (bytes > 0) this.#budget.add(this, bytes);
  }

  giveBack(bytes: number): void {
    if (bytes > 0) this.#budget.giveBack(this, bytes);
  }

  /** Whether `bytes` more may wait here; asked before a call is begun (with 0) and before its answer is kept. */
  allows(bytes: number): boolean {
    return this.#budget.allows(this, bytes);
  }

  get isFull(): boolean {
    return this.#budget.isFull;
  }
}

export class AnswerBudget {
  readonly bytesMax: number;
  /** Waiting over all accounts. */
  bytes = 0;
  /** Those that hold anything. */
  readonly #holders = new Set<AnswerAccount>();
  #clock: Clock | null = null;
  #timer: Timer | null = null;

  constructor(bytesMax: number = DEFAULT_ANSWER_BYTES_MAX) {
    this.bytesMax = bytesMax;
  }

  /** From now on reviews take place by themselves. The listeners of a process share one clock: the first counts. */
  reviewBy(clock: Clock): void {
    this.#clock ??= clock;
  }

  open(): AnswerAccount {
    return new AnswerAccount(this);
  }

  get isFull(): boolean {
    return this.bytes >= this.bytesMax;
  }

  get #isPressed(): boolean {
    return this.bytes * 2 > this.bytesMax;
  }

  allows(account: AnswerAccount, bytes: number): boolean {
    if (!this.#isPressed) return true;
    if (this.bytes + bytes < this.bytesMax) {
      return account.bytes < Math.max(this.bytesMax / 16, SMALL_BYTES);
    }
    return account.bytes + bytes < SMALL_BYTES;
  }

  add(account: AnswerAccount, bytes: number): void {
    if (account.bytes === 0) this.#holders.add(account);
    account.bytes += bytes;
    this.bytes += bytes;
    if (this.#timer === null && this.#isPressed) this.#schedule();
  }

  giveBack(account: AnswerAccount, bytes: number): void {
    account.bytes -= bytes;
    account.takenBytes += bytes;
    this.bytes -= bytes;
    if (account.bytes > 0) return;
    this.#holders.delete(account);
    account.takenBytes = 0;
    account.stalledReviews = 0;
  }

  #schedule(): void {
    const clock = this.#clock;
    if (clock === null) return;
    this.#timer = clock.setTimer(REVIEW_INTERVAL_MS, () => {
      this.#timer = null;
      this.review();
      if (this.#isPressed) this.#schedule();
    });
  }

  /** Closes accounts that have not been reading while others need the room. */
  review(): void {
    const stalled: AnswerAccount[] = [];
    for (const account of this.#holders) {
      const progressed = account.takenBytes * PROGRESS_DIVISOR >= account.bytes;
      account.stalledReviews = progressed ? 0 : account.stalledReviews + 1;
      account.takenBytes = 0;
      if (account.stalledReviews >= STALLED_REVIEWS_MIN && account.bytes >= SMALL_BYTES) {
        stalled.push(account);
      }
    }
    stalled.sort((a, b) => b.bytes * b.stalledReviews - a.bytes * a.stalledReviews);
    // The bytes come back when the connection's end is known, which may be later.
    let leftBytes = this.bytes;
    for (const account of stalled) {
      if (leftBytes * 2 <= this.bytesMax) return;
      leftBytes -= account.bytes;
      account.onClose?.();
    }
  }
}
