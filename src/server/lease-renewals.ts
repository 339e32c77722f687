/**
 * Renewals of this member's clients, wherever the leader is, and the leader's answers to other members. A lease whose
 * time is up is answered as gone once its revocation is applied here; if a new leader gave it time again meanwhile,
 * it is renewed after all.
 */
import type { EtcdError } from "../api/index.ts";
import type { Clock, Timer } from "../io/index.ts";
import type { Lessor } from "../lease/index.ts";
import type { PeerTransport } from "../peer/index.ts";
import { LeaderQuestions } from "./leader-questions.ts";
import type { Renewal } from "./lease-keep-alive.ts";
import type { LeaseKeeper } from "./lease-keeper.ts";
import {
  decodeLeaseIds,
  decodeSeconds,
  encodeLeaseIds,
  encodeSeconds,
  errorAnswer,
  LEASE_RENEW,
  NOT_LEADING_ANSWER,
  okAnswer,
} from "./lease-messages.ts";
import { type LeaseRenewer, NO_LEASE, REVOKING, type RenewalResult } from "./lease-renewer.ts";
import type { PeerRequestHandler } from "./peer-requests.ts";
import type { RaftView } from "./raft-view.ts";

export interface LeaseRenewalsParts {
  readonly lessor: Lessor;
  readonly clock: Clock;
  readonly raft: RaftView;
  readonly transport: Pick<PeerTransport, "request">;
  readonly keeper: Pick<LeaseKeeper, "leadingTerm">;
  readonly renewer: LeaseRenewer;
  readonly timeoutMs: number;
}

const RENEWALS_PER_REQUEST_MAX = 1000;
/** How often the leader is asked again about leases that should be gone and are not. */
const ASK_AGAIN_MS = 500;

export class LeaseRenewals {
  readonly #parts: LeaseRenewalsParts;
  readonly #questions: LeaderQuestions<Renewal>;
  /** Of leases that ran out and are not revoked here yet. */
  readonly #revoking = new Set<Renewal>();
  #timer: Timer | null = null;

  constructor(parts: LeaseRenewalsParts) {
    this.#parts = parts;
    this.#questions = new LeaderQuestions<Renewal>({
      ...parts,
      name: LEASE_RENEW,
      questionsPerRequestMax: RENEWALS_PER_REQUEST_MAX,
      leadingTerm: () => parts.keeper.leadingTerm(),
      serve: (renewals) => this.#serve(renewals),
      encode: (renewals) => encodeLeaseIds(renewals.map(({ id }) => id)),
      take: (renewals, body) => this.#take(renewals, body),
    });
    parts.raft.onLeadership(() => this.#askAgain());
  }

  renew(renewal: Renewal): void {
    this.#questions.ask(renewal);
  }

  readonly handlePeer: PeerRequestHandler = (_from, body, respond) => {
    const ids = decodeLeaseIds(body);
    if (ids === null || ids.length > RENEWALS_PER_REQUEST_MAX) {
      respond(NOT_LEADING_ANSWER);
      return;
    }
    this.#parts.renewer.renew(ids, (result) => {
      if (result === "not-leading") respond(NOT_LEADING_ANSWER);
      else if (Array.isArray(result)) respond(okAnswer(encodeSeconds(result)));
      else respond(errorAnswer(result as EtcdError));
    });
  };

  /** Called after entries were applied. */
  onApplied(): void {
    for (const renewal of this.#revoking) {
      const { lessor } = this.#parts;
      if (!renewal.settled && lessor.get(renewal.id) === renewal.lease) continue;
      this.#revoking.delete(renewal);
      // A lease that is another object by now: granted anew, or read again from a snapshot.
      if (lessor.has(renewal.id)) this.#questions.ask(renewal);
      else renewal.succeed(NO_LEASE);
    }
  }

  stop(): void {
    this.#questions.stop();
    this.#timer?.cancel();
    this.#timer = null;
    this.#revoking.clear();
  }

  #serve(renewals: readonly Renewal[]): void {
    const ids = renewals.map(({ id }) => id);
    this.#parts.renewer.renew(ids, (result) => this.#settle(renewals, result));
  }

  #take(renewals: readonly Renewal[], body: Uint8Array): boolean {
    const seconds = decodeSeconds(body);
    if (seconds?.length !== renewals.length) return false;
    this.#settle(renewals, seconds);
    return true;
  }

  #settle(renewals: readonly Renewal[], result: RenewalResult): void {
    for (const [i, renewal] of renewals.entries()) {
      if (renewal.settled) continue;
      if (result === "not-leading") this.#questions.ask(renewal);
      else if (!Array.isArray(result)) renewal.fail(result as EtcdError);
      else if (result[i] === REVOKING) this.#awaitRevocation(renewal);
      else renewal.succeed(result[i]!);
    }
  }

  #awaitRevocation(renewal: Renewal): void {
    const { lessor, clock } = this.#parts;
    const lease = lessor.get(renewal.id);
    if (lease === undefined) {
      renewal.succeed(NO_LEASE);
      return;
    }
    renewal.lease = lease;
    this.#revoking.add(renewal);
    this.#timer ??= clock.setTimer(ASK_AGAIN_MS, () => {
      this.#timer = null;
      this.#askAgain();
    });
  }

  /** The questions fail those whose time is up. */
  #askAgain(): void {
    const renewals = [...this.#revoking];
    this.#revoking.clear();
    for (const renewal of renewals) this.#questions.ask(renewal);
  }
}
