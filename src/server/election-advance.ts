/**
 * A member that starts does not sit out its whole first election timeout (etcd's initial-election-tick-advance): once
 * it is connected to another one it goes ahead to two ticks before the timeout. A leader that is there has time for
 * two heartbeats before an election; pre-votes keep the rest harmless. Not with lease reads: an earlier life may have
 * promised a leader to wait out the whole timeout.
 */
import type { Clock } from "../io/index.ts";
import type { PeerTransport } from "../peer/index.ts";
import type { RaftNode } from "./raft-node.ts";

const WAIT_MS = 5000;
const KEPT_TICKS = 2;

export interface ElectionAdvanceParts {
  readonly node: RaftNode;
  readonly transport: PeerTransport;
  readonly clock: Clock;
  readonly tickIntervalMs: number;
  readonly electionTimeoutTicks: number;
  readonly isStopped: () => boolean;
}

export function advanceFirstElection(parts: ElectionAdvanceParts): void {
  const { node, transport, clock, tickIntervalMs, electionTimeoutTicks, isStopped } = parts;
  const untilMs = clock.monotonicMs() + WAIT_MS;
  const look = (): void => {
    const { leader, configuration, role } = node.raft;
    if (isStopped() || leader !== 0n || role !== "follower") return;
    const others = configuration.voters.filter((member) => member !== node.memberId);
    if (others.some((member) => !Number.isNaN(transport.activeSinceMs(member)))) {
      for (let i = 0; i < electionTimeoutTicks - KEPT_TICKS; i++) node.raft.tick();
    } else if (clock.monotonicMs() < untilMs) {
      clock.setTimer(tickIntervalMs, look);
    }
  };
  clock.setTimer(tickIntervalMs, look);
}
