/**
 * A connection that another member opened to this one: its messages and requests come in, answers go back. All
 * messages of one read are handed to raft together.
 */

import { EMPTY_BYTES } from "../base/bytes.ts";
import type { Message } from "../raft/index.ts";
import { FRAME_REQUEST } from "./frame.ts";
import { readMessage } from "./message-codec.ts";
import { answerFrame, type ReadRequest, readRequest } from "./outstanding-requests.ts";
import { type ConnectionOwner, PeerConnection } from "./peer-connection.ts";
import type { PeerCounters } from "./peer-counters.ts";
import type { PeerServices } from "./peer-services.ts";
import type { PeerSocket } from "./peer-socket.ts";
import type { PeerAnswer, PeerEvents } from "./types.ts";

/** Status of an answer that this layer gives itself. */
export const STATUS_TOO_MANY_REQUESTS = 429;

export class IncomingChannel implements ConnectionOwner {
  readonly member: bigint;
  readonly #services: PeerServices;
  readonly #events: PeerEvents;
  readonly #counters: PeerCounters;
  readonly #onEnd: (channel: IncomingChannel) => void;
  readonly #connection: PeerConnection;
  #messages: Message[] = [];
  #requests: ReadRequest[] = [];
  #unanswered = 0;
  #countedBytes = 0;

  constructor(
    member: bigint,
    socket: PeerSocket,
    services: PeerServices,
    events: PeerEvents,
    counters: PeerCounters,
    onEnd: (channel: IncomingChannel) => void,
  ) {
    this.member = member;
    this.#services = services;
    this.#events = events;
    this.#counters = counters;
    this.#onEnd = onEnd;
    this.#connection = new PeerConnection(services.connections, socket, this);
  }

  receive(head: Uint8Array): void {
    this.#connection.receive(head);
  }

  /** The other member pings: silence means that it is gone. */
  check(): void {
    this.#count();
    if (this.#connection.isSilentFor(this.#services.options.limits.silentChecksMax)) {
      this.#connection.fail("the member is silent");
    }
  }

  /** Ends it without calling back. */
  end(): void {
    this.#count();
    this.#connection.close();
  }

  onFrame(kind: number, body: Uint8Array): string | null {
    if (kind === FRAME_REQUEST) {
      const request = readRequest(body);
      if (request === null) return "a malformed request";
      this.#requests.push(request);
      return null;
    }
    const message = readMessage(kind, body, this.member, this.#services.memberId);
    if (message === null) return `a malformed frame of kind ${kind}`;
    if (message.kind === "snapshot") return "a snapshot among the messages";
    this.#messages.push(message);
    return null;
  }

  onChunkEnd(): void {
    if (this.#messages.length > 0) {
      const messages = this.#messages;
      this.#messages = [];
      this.#events.receive(messages);
    }
    if (this.#requests.length === 0) return;
    const requests = this.#requests;
    this.#requests = [];
    for (const request of requests) this.#serve(request);
  }

  onPong(): void {}

  onClosed(reason: string): void {
    this.#count();
    this.#counters.receiveFailures++;
    this.#services.options.logger.debug("lost the connection from a peer", {
      "peer-id": this.member.toString(16),
      error: reason,
    });
    this.#onEnd(this);
  }

  #serve({ id, name, body }: ReadRequest): void {
    const respond = (answer: PeerAnswer): void => {
      this.#unanswered--;
      // Dropped if the connection is gone or does not drain: the asking side has a deadline.
      this.#connection.offerFrame(answerFrame(id, answer), false);
    };
    this.#unanswered++;
    if (this.#unanswered > this.#services.options.limits.requestsMax) {
      respond({ status: STATUS_TOO_MANY_REQUESTS, body: EMPTY_BYTES });
    } else if (this.#connection.isOpen) {
      this.#events.request(this.member, name, body, respond);
    }
  }

  #count(): void {
    const { receivedBytes } = this.#connection;
    this.#counters.receivedBytes += receivedBytes - this.#countedBytes;
    this.#countedBytes = receivedBytes;
  }
}
