/**
 * How membership changes get into the log. Only the leader can tell whether one may be proposed now (one at a time;
 * not before it has committed in its term; a learner only when it has caught up), so a change goes to the leader as a
 * question, and comes back as taken, as refused for good, or as "not now". Not now is tried again until the waiter's
 * time is up. A question without an answer is not repeated: it may have been taken, and the log's reply will tell.
 */
import {
  EtcdError,
  errLearnerNotReady,
  errMemberNotEnoughStarted,
  errMemberNotFound,
} from "../api/index.ts";
import { utf8, utf8Text } from "../base/bytes.ts";
import type { Member } from "../cluster/index.ts";
import type { Clock } from "../io/index.ts";
import type { PeerAnswer, PeerTransport } from "../peer/index.ts";
import type { MembershipChange, ProposeResult } from "../raft/index.ts";
import {
  decodeMembershipEntry,
  encodeMembershipEntry,
  type MemberChange,
  type MembershipEntry,
  type MembershipReply,
} from "../state-machine/index.ts";
import type { PeerRequests } from "./peer-requests.ts";
import type { ProposalQueue } from "./proposal-queue.ts";
import { originOf } from "./proposer.ts";
import type { ReconfigurationGuard } from "./reconfiguration-guard.ts";

export interface MembershipRequest {
  readonly change: MemberChange;
  readonly member: Member;
}

export interface MembershipWaiter {
  /** The members after the change. */
  succeed(reply: MembershipReply): void;
  fail(error: EtcdError): void;
}

/** What the cluster service needs of the log. */
export interface MembershipProposer {
  proposeChange(request: MembershipRequest, waiter: MembershipWaiter): void;
}

/** What this needs of raft. */
export interface MembershipRaft {
  readonly memberId: bigint;
  isLeader(): boolean;
  /** 0n while none is known. */
  leader(): bigint;
  proposeMembershipChange(change: MembershipChange, data: Uint8Array): ProposeResult;
  /** As a leader, the last entry of the member that is known to agree; -1 where not known. */
  matchOf(member: bigint): number;
}

export interface MembershipProposerParts {
  readonly raft: MembershipRaft;
  /** Something was proposed: the loop has to look. */
  readonly wake: () => void;
  readonly queue: ProposalQueue;
  readonly transport: PeerTransport;
  readonly peerRequests: PeerRequests;
  readonly guard: ReconfigurationGuard;
  readonly clock: Clock;
  readonly learnersMax: number;
  readonly timeoutMs: number;
}

/** What the leader answers: taken, refused for good, or to be asked again. */
type Outcome = "taken" | "not-now" | EtcdError;

export const MEMBERSHIP_REQUEST = "membership-change";
const STATUS_TAKEN = 0;
const STATUS_NOT_NOW = 1;
/** The body is "<gRPC code> <text>". */
const STATUS_REFUSED = 2;
const STATUS_UNREADABLE = 3;

const RETRY_MS = 50;
const ERROR_TEXT_MAX = 1024;
/** A learner is ready when it has this share of the leader's log (etcd's readyPercent). */
const READY_SHARE = 0.9;

export class LogMembershipProposer implements MembershipProposer {
  readonly #parts: MembershipProposerParts;
  readonly #origin: number;

  constructor(parts: MembershipProposerParts) {
    this.#parts = parts;
    this.#origin = originOf(parts.raft.memberId);
    parts.peerRequests.register(MEMBERSHIP_REQUEST, (_from, body, respond) => {
      const entry = decodeMembershipEntry(body);
      respond(entry === null ? UNREADABLE : answerOf(this.#proposeHere(entry, body)));
    });
  }

  proposeChange({ change, member }: MembershipRequest, waiter: MembershipWaiter): void {
    const { queue, learnersMax } = this.#parts;
    let isWaiting = true;
    const requestId = queue.register({
      succeed: (reply: MembershipReply) => {
        isWaiting = false;
        waiter.succeed(reply);
      },
      fail: (error) => {
        isWaiting = false;
        waiter.fail(error);
      },
    });
    const entry = { change, member, learnersMax, origin: this.#origin, requestId };
    this.#attempt(entry, encodeMembershipEntry(entry), () => isWaiting);
  }

  #attempt(entry: MembershipEntry, data: Uint8Array, isWaiting: () => boolean): void {
    if (!isWaiting()) return;
    const { raft, transport, clock, queue, timeoutMs } = this.#parts;
    const settle = (outcome: Outcome): void => {
      if (outcome === "taken") return;
      if (outcome instanceof EtcdError) queue.take(entry.requestId)?.fail(outcome);
      else clock.setTimer(RETRY_MS, () => this.#attempt(entry, data, isWaiting));
    };
    const leader = raft.leader();
    if (raft.isLeader()) settle(this.#proposeHere(entry, data));
    else if (leader === 0n || Number.isNaN(transport.activeSinceMs(leader))) settle("not-now");
    else {
      transport.request(leader, MEMBERSHIP_REQUEST, data, timeoutMs, (answer) => {
        if (isWaiting()) settle(answer === null ? "taken" : outcomeOf(answer));
      });
    }
  }

  /** Proposes it if this member leads and the moment is right. */
  #proposeHere(entry: MembershipEntry, data: Uint8Array): Outcome {
    const { raft, wake } = this.#parts;
    if (!raft.isLeader()) return "not-now";
    const { change, member } = entry;
    const refused = change === "promote" ? this.#refusalToPromote(member.id) : null;
    if (refused !== null) return refused;
    const kind = change === "promote" ? "add-voter" : change;
    const result = raft.proposeMembershipChange({ kind, member: member.id }, data);
    wake();
    if (typeof result === "number" || result === "forwarded") return "taken";
    if (result === "last-voter") return errMemberNotEnoughStarted;
    return result === "no-member-named" ? errMemberNotFound : "not-now";
  }

  #refusalToPromote(id: bigint): EtcdError | null {
    const { raft, guard } = this.#parts;
    const match = raft.matchOf(id);
    if (match < 0) return errMemberNotFound;
    if (match < raft.matchOf(raft.memberId) * READY_SHARE) return errLearnerNotReady;
    return guard.refusalToPromote(id);
  }
}

const NO_BODY = new Uint8Array(0);
const UNREADABLE: PeerAnswer = { status: STATUS_UNREADABLE, body: NO_BODY };

function answerOf(outcome: Outcome): PeerAnswer {
  if (outcome === "taken") return { status: STATUS_TAKEN, body: NO_BODY };
  if (outcome === "not-now") return { status: STATUS_NOT_NOW, body: NO_BODY };
  return { status: STATUS_REFUSED, body: utf8(`${outcome.code} ${outcome.message}`) };
}

function outcomeOf({ status, body }: PeerAnswer): Outcome {
  if (status === STATUS_TAKEN) return "taken";
  if (status !== STATUS_REFUSED) return "not-now";
  const [, code, message] =
    /^(\d{1,2}) (.*)$/s.exec(utf8Text(body.subarray(0, ERROR_TEXT_MAX))) ?? [];
  return code === undefined || message === undefined
    ? "not-now"
    : new EtcdError(Number(code), message);
}
