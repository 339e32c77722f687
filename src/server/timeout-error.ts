/**
 * Why a request got no answer in time: the four texts of etcd (parseProposeCtxErr in its v3_server.go), which
 * operators grep for. Asked by whoever waits for the log, at the moment when the wait is given up.
 */
import {
  type EtcdError,
  errTimeout,
  errTimeoutDueToConnectionLost,
  errTimeoutDueToLeaderFail,
} from "../api/index.ts";

/** What is known at the moment of the timeout. Times are monotonic milliseconds. */
export interface TimeoutFacts {
  readonly memberId: bigint;
  /** 0n while none is known. */
  readonly leader: bigint;
  /** When this member last learned of a new leader; -Infinity before the first. */
  readonly leaderSinceMs: number;
  readonly electionTimeoutMs: number;
  /** All members, learners and this one too. */
  readonly members: readonly bigint[];
  /** Since when another member is connected; NaN while it is not. */
  readonly activeSinceMs: (member: bigint) => number;
}

/** A leader that was elected was preceded by at most this many election timeouts without one. */
const LEADERLESS_ELECTIONS = 2;

/** `startMs` is when the request began to wait. */
export function timeoutError(startMs: number, facts: TimeoutFacts): EtcdError {
  const { leader, memberId, leaderSinceMs, electionTimeoutMs } = facts;
  const previousLostMs = leaderSinceMs - LEADERLESS_ELECTIONS * electionTimeoutMs;
  if (startMs > previousLostMs && startMs < leaderSinceMs) return errTimeoutDueToLeaderFail;
  if (leader === 0n) return errTimeout;
  const connected =
    leader === memberId
      ? isConnectedToQuorum(startMs, facts)
      : isConnectedSince(startMs, leader, facts);
  return connected ? errTimeout : errTimeoutDueToConnectionLost;
}

function isConnectedSince(startMs: number, member: bigint, facts: TimeoutFacts): boolean {
  // NaN is before nothing.
  return facts.activeSinceMs(member) < startMs;
}

function isConnectedToQuorum(startMs: number, facts: TimeoutFacts): boolean {
  const { members, memberId } = facts;
  let connected = 0;
  for (const member of members) {
    if (member === memberId || isConnectedSince(startMs, member, facts)) connected++;
  }
  return connected >= Math.floor(members.length / 2) + 1;
}
