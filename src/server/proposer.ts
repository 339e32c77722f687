/**
 * The one way into the log for services: admission limits, then the proposal, then the wait for its reply. The
 * reply's header gets its ids and term here.
 */
import {
  EtcdError,
  errNoLeader,
  errRequestTooLarge,
  errRequestTooManyRequests,
  errStopped,
  ProtoWriter,
  type ResponseHeaderInit,
} from "../api/index.ts";
import { ENTRY_COMMAND, type ReplicatedLog } from "../raft/index.ts";
import { encodeCommand, type Reply, type StateMachine } from "../state-machine/index.ts";
import type { ProposalQueue, Waiter } from "./proposal-queue.ts";
import type { RaftLoop } from "./raft-loop.ts";
import type { HeaderFactory } from "./response-header.ts";

/** Committed entries that may wait for application before new ones are refused (etcd's limit). */
const COMMIT_APPLY_GAP_MAX = 5000;
/** Proposed bytes that may be on their way at once: what a flood of large requests can make us hold. */
const UNAPPLIED_BYTES_MAX = 256 << 20;

export interface ProposerParts {
  readonly log: ReplicatedLog;
  readonly loop: RaftLoop;
  readonly stateMachine: StateMachine;
  readonly queue: ProposalQueue;
  readonly headers: HeaderFactory;
  readonly requestBytesMax: number;
}

export class Proposer {
  readonly #parts: ProposerParts;
  readonly #writer = new ProtoWriter(4096);
  #stopping = false;

  constructor(parts: ProposerParts) {
    this.#parts = parts;
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
    const data = encodeCommand(kind, 0, id, "", 0, writer.bytes.subarray(0, writer.position));
    if (!loop.propose(ENTRY_COMMAND, data)) {
      queue.take(id);
      waiter.fail(errNoLeader);
    }
  }

  /** Proposes something that nobody waits for; false when it was refused. */
  proposeQuietly<Request>(
    kind: number,
    encode: (writer: ProtoWriter, request: Request) => void,
    request: Request,
  ): boolean {
    const writer = this.#writer;
    writer.reset();
    encode(writer, request);
    if (this.#refusal(writer.position) !== null) return false;
    const data = encodeCommand(kind, 0, 0, "", 0, writer.bytes.subarray(0, writer.position));
    return this.#parts.loop.propose(ENTRY_COMMAND, data);
  }

  #refusal(requestBytes: number): EtcdError | null {
    const { log, loop, stateMachine, requestBytesMax } = this.#parts;
    if (this.#stopping) return errStopped;
    if (requestBytes > requestBytesMax) return errRequestTooLarge;
    const gap = log.status().commit - stateMachine.appliedIndex();
    if (gap > COMMIT_APPLY_GAP_MAX) return errRequestTooManyRequests;
    if (loop.unappliedBytes() > UNAPPLIED_BYTES_MAX) return errRequestTooManyRequests;
    return null;
  }

  /** Delivers the reply of an applied command to its waiter on this member, if it has one. */
  deliver(requestId: number, reply: Reply): void {
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
