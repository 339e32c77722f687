/**
 * Gives leadership to another member before this one stops (thesis 3.10), so that clients see a pause of a round
 * trip instead of an election timeout. Bounded: whoever cannot take over in time is left to an election.
 */
import type { Clock, Logger } from "../io/index.ts";
import type { PeerTransport } from "../peer/index.ts";
import type { RaftNode } from "./raft-node.ts";

const POLL_MS = 5;

export interface HandOverParts {
  readonly node: RaftNode;
  readonly transport: PeerTransport;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly timeoutMs: number;
  readonly wake: () => void;
}

/** The voter that is connected and has most of the log; 0n when there is none. */
export function bestSuccessor({ node, transport }: HandOverParts): bigint {
  let best = 0n;
  let bestMatch = -1;
  for (const member of node.raft.configuration.voters) {
    if (member === node.memberId || Number.isNaN(transport.activeSinceMs(member))) continue;
    const match = node.raft.matchOf(member);
    if (match <= bestMatch) continue;
    best = member;
    bestMatch = match;
  }
  return best;
}

/** Hands over to `target`; `done(true)` once another member is known to lead. */
export function transferTo(
  parts: HandOverParts,
  target: bigint,
  done: (moved: boolean) => void,
): void {
  const { node, clock, timeoutMs, wake } = parts;
  node.raft.transferLeadership(target);
  wake();
  const untilMs = clock.monotonicMs() + timeoutMs;
  const poll = (): void => {
    const { leader, transferTarget } = node.raft;
    if (leader !== 0n && leader !== node.memberId) done(true);
    else if (clock.monotonicMs() >= untilMs) done(false);
    else {
      // Raft gives a transfer up after an election timeout; within our time it is asked for again.
      if (node.isLeader() && transferTarget === 0n) node.raft.transferLeadership(target);
      wake();
      clock.setTimer(POLL_MS, poll);
    }
  };
  clock.setTimer(POLL_MS, poll);
}

/** Before a stop. */
export function handOver(parts: HandOverParts, done: () => void): void {
  const { node, logger } = parts;
  const fields = { "local-member-id": node.memberId, "current-leader-member-id": node.leader() };
  if (!node.isLeader()) {
    logger.info("skipped leadership transfer; local server is not leader", fields);
    done();
    return;
  }
  if (node.raft.configuration.voters.length < 2) {
    logger.info("skipped leadership transfer for single voting member cluster", fields);
    done();
    return;
  }
  const target = bestSuccessor(parts);
  if (target === 0n) {
    logger.warn("failed to transfer leadership: no other voter is connected", fields);
    done();
    return;
  }
  logger.info("leadership transfer starting", { ...fields, "transferee-member-id": target });
  transferTo(parts, target, (moved) => {
    if (moved) logger.info("leadership transfer finished", { leader: node.leader() });
    else logger.warn("leadership transfer failed", fields);
    done();
  });
}
