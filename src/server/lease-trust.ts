/**
 * Lets raft read by its lease only while every other voter keeps the promise that a lease relies on: by what they said
 * when they last introduced themselves (peer/lease-settings.ts). Otherwise reads take rounds, and the log says why.
 *
 * The loop asks before anything that may be answered by a lease. A voter that restarts with other settings confirms no
 * heartbeat before it introduced itself, so what it confirmed earlier runs out within the one lease it was given for.
 */
import { hexId } from "../cluster/index.ts";
import type { Clock, Logger } from "../io/index.ts";
import type { PeerTransport } from "../peer/index.ts";
import type { RaftNode } from "./raft-node.ts";

export interface LeaseTrustParts {
  readonly node: RaftNode;
  readonly transport: Pick<PeerTransport, "leaseObstacle">;
  readonly clock: Clock;
  readonly logger: Logger;
  /** How long something must stand in the way to be worth a warning: members that start meet within this. */
  readonly patienceMs: number;
}

export class LeaseTrust {
  readonly #parts: LeaseTrustParts;
  /** The first voter in the way, 0n for none, and why; since when. */
  #member = 0n;
  #obstacle = "";
  #sinceMs = 0;
  /** What the log has. */
  #toldMember = 0n;
  #toldObstacle = "";

  constructor(parts: LeaseTrustParts) {
    this.#parts = parts;
    parts.node.raft.allowLease(false);
  }

  /** Before a read, and before raft is asked what to do: cheap. */
  update(): void {
    const { node, transport, clock } = this.#parts;
    const { raft } = node;
    if (raft.role !== "leader") return;
    const { voters } = raft.configuration;
    let member = 0n;
    let obstacle = "";
    for (let i = 0; i < voters.length && member === 0n; i++) {
      const voter = voters[i]!;
      const found = voter === node.memberId ? null : transport.leaseObstacle(voter);
      if (found === null) continue;
      member = voter;
      obstacle = found;
    }
    raft.allowLease(member === 0n);
    if (member === this.#member && obstacle === this.#obstacle) return;
    this.#member = member;
    this.#obstacle = obstacle;
    this.#sinceMs = clock.monotonicMs();
  }

  /** With every tick. */
  tick(): void {
    this.update();
    const { node, clock, logger, patienceMs } = this.#parts;
    if (!node.isLeader() || clock.monotonicMs() - this.#sinceMs < patienceMs) return;
    if (this.#member === this.#toldMember && this.#obstacle === this.#toldObstacle) return;
    this.#toldMember = this.#member;
    this.#toldObstacle = this.#obstacle;
    const own = { "local-member-id": node.memberId };
    if (this.#member === 0n) logger.info("reads are answered by the leader's lease again", own);
    else {
      logger.warn("reads are not answered by the leader's lease: a member may not keep it", {
        ...own,
        "remote-peer-id": hexId(this.#member),
        error: this.#obstacle,
      });
    }
  }
}
