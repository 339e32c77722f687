/**
 * The one way into the log for services: admission limits, then the proposal, then the wait for its reply. The
 * reply's header gets its ids and term here.
 */
import {
  EtcdError,
  errRequestTooLarge,
  errRequestTooManyRequests,
  errStopped,
  ProtoWriter,
  type ResponseHeaderInit,
} from "../api/index.ts";
import { ENTRY_COMMAND } from "../raft/index.ts";
import { encodeCommand, type Reply, type StateMachine } from "../state-machine/index.ts";
import type { ProposalQueue, Waiter } from "./proposal-queue.ts";
import type { RaftLoop } from "./raft-loop.ts";
import type { RaftView } from "./raft-view.ts";
import type { HeaderFactory } from "./response-header.ts";

/** Committed entries that may wait for application before new ones are refused (etcd's limit). */
const COMMIT_APPLY_GAP_MAX = 5000;
/** Proposed bytes that may be on their way at once: what a flood of large requests can make us hold. */
const PENDING_BYTES_MAX = 256 << 20;

export interface ProposerParts {
  readonly raft: RaftView;
  readonly loop: RaftLoop;
  readonly stateMachine: StateMachine;
  readonly queue: ProposalQueue;
  readonly headers: HeaderFactory;
  readonly requestBytesMax: number;
}

export class Proposer {
  readonly #parts: ProposerParts;
  readonly #writer = new ProtoWriter(4096);
  /** Tells this member's commands from those of others. */
  readonly #origin: number;
  #stopping = false;

  constructor(parts: ProposerParts) {
    this.#parts = parts;
    this.#origin = originOf(parts.raft.memberId);
  }

  /** Encodes a request and proposes it; the waiter gets the reply or the reason why there is none. */
  propose<Request>(
    kind: number,
    encode: (writer: ProtoWriter, request: Request) => void,
    request: Request,
    waiter: Waiter,
  ): void {
    const { queue, loop } = this.#parts;
    const writer = this.#writer;
    writer.reset();
    encode(writer, request);
    const problem = this.#refusal(writer.position);
    if (problem !== null) {
      waiter.fail(problem);
      return;
    }
    const id = queue.register(waiter);
    const bytes = writer.bytes.subarray(0, writer.position);
    const data = encodeCommand(kind, this.#origin, id, "", 0, bytes);
    const refused = loop.propose(ENTRY_COMMAND, data);
    if (refused !== null) {
      queue.take(id);
      waiter.fail(refused);
    }
  }

  /**
   * Proposes something that nobody waits for, and only while this member leads: what a leader decides by its clock
   * must not reach the log through another leader (incident 17). False when it was refused.
   */
  proposeAsLeader<Request>(
    kind: number,
    encode: (writer: ProtoWriter, request: Request) => void,
    request: Request,
  ): boolean {
    const writer = this.#writer;
    writer.reset();
    encode(writer, request);
    if (this.#refusal(writer.position) !== null) return false;
    const bytes = writer.bytes.subarray(0, writer.position);
    const data = encodeCommand(kind, this.#origin, 0, "", 0, bytes);
    return this.#parts.loop.proposeAsLeader(ENTRY_COMMAND, data);
  }

  #refusal(requestBytes: number): EtcdError | null {
    const { raft, loop, stateMachine, requestBytesMax } = this.#parts;
    if (this.#stopping) return errStopped;
    if (requestBytes > requestBytesMax) return errRequestTooLarge;
    const gap = raft.commit() - stateMachine.appliedIndex();
    if (gap > COMMIT_APPLY_GAP_MAX) return errRequestTooManyRequests;
    if (loop.pendingBytes() > PENDING_BYTES_MAX) return errRequestTooManyRequests;
    return null;
  }

  /** Delivers the reply of an applied command to its waiter on this member, if it has one. */
  deliver(origin: number, requestId: number, reply: Reply): void {
    if (origin !== this.#origin) return;
    const waiter = this.#parts.queue.take(requestId);
    if (waiter === undefined) return;
    if (reply instanceof EtcdError) {
      waiter.fail(reply);
      return;
    }
    const response = reply as { header?: ResponseHeaderInit };
    if (response.header !== undefined) {
      response.header = this.#parts.headers.header(response.header.revision ?? 0);
    }
    waiter.succeed(response as never);
  }

  /** Refuses whatever comes from now on. */
  stop(): void {
    this.#stopping = true;
  }
}

/** A number for the member that fits a command: ids are hashes, so their low 48 bits differ, too. */
export function originOf(memberId: bigint): number {
  return Number(BigInt.asUintN(48, memberId));
}
