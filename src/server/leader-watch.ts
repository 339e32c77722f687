/**
 * Says it when no leader is known for long: a quorum that is lost, or a member that is cut off, is otherwise silent in
 * the log. That a leader is known again is among the news of who leads (raft-node.ts, "elected leader").
 */
import { hexId } from "../cluster/index.ts";
import type { Clock, Logger } from "../io/index.ts";
import type { PeerTransport } from "../peer/index.ts";
import type { RaftNode } from "./raft-node.ts";

/** An election takes one to two election timeouts. */
const PATIENCE_ELECTIONS = 3;
/** Between two warnings, also of different times without a leader. */
const REPEAT_MS = 60_000;

export interface LeaderWatchParts {
  readonly node: Pick<RaftNode, "memberId" | "raft">;
  readonly transport: Pick<PeerTransport, "activeSinceMs">;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly electionTimeoutMs: number;
}

export class LeaderWatch {
  readonly #parts: LeaderWatchParts;
  /** NaN while a leader is known. */
  #sinceMs = Number.NaN;
  #warnedMs = Number.NEGATIVE_INFINITY;

  constructor(parts: LeaderWatchParts) {
    this.#parts = parts;
  }

  /** Called with every tick. */
  note(): void {
    const { node, clock, electionTimeoutMs } = this.#parts;
    if (node.raft.leader !== 0n) {
      this.#sinceMs = Number.NaN;
      return;
    }
    const nowMs = clock.monotonicMs();
    if (Number.isNaN(this.#sinceMs)) this.#sinceMs = nowMs;
    const missedMs = nowMs - this.#sinceMs;
    if (missedMs < PATIENCE_ELECTIONS * electionTimeoutMs) return;
    if (nowMs - this.#warnedMs < REPEAT_MS) return;
    this.#warnedMs = nowMs;
    this.#warn(missedMs);
  }

  #warn(missedMs: number): void {
    const { node, transport, logger } = this.#parts;
    const { voters } = node.raft.configuration;
    const away = voters.filter(
      (voter) => voter !== node.memberId && Number.isNaN(transport.activeSinceMs(voter)),
    );
    logger.warn(
      `no leader for ${(missedMs / 1000).toFixed(1)}s; clients' writes and linearizable reads wait`,
      {
        "local-member-id": node.memberId,
        term: node.raft.term,
        voters: voters.length,
        "unconnected-voters": away.map(hexId),
      },
    );
  }
}
