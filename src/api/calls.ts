/**
 * One call as a service sees it. Edges (gRPC, JSON, in-process clients) implement these; a service answers a
 * call exactly once, now or later. There is no promise per call: answering is a method call on an object that
 * the edge keeps anyway.
 */
import type { EtcdError } from "./errors.ts";

export interface CallContext {
  /** Metadata `token`, else `authorization`; null when neither was sent. */
  readonly token: string | null;
  /** Metadata `hasleader: true`: fail at once while there is no leader. */
  readonly requireLeader: boolean;
  /** Metadata `client-api-version`, or "unknown". */
  readonly clientApiVersion: string;
  /** Common name of the verified client certificate, or "". */
  readonly peerName: string;
  /** The call came through the JSON gateway (no authentication by certificate name then). */
  readonly viaGateway: boolean;
  readonly peerAddress: string;
  /** Monotonic milliseconds after which nobody waits for the answer; Infinity without a deadline. */
  readonly deadlineMs: number;
}

export interface UnaryCall<Response> {
  readonly context: CallContext;
  succeed(response: Response): void;
  fail(error: EtcdError): void;
  /** Called at most once, when the client went away or the deadline passed before an answer. */
  onAbort(listener: () => void): void;
  readonly aborted: boolean;
}

export interface StreamCall<Response> {
  readonly context: CallContext;
  /** Queues a message; false asks the sender to stop until onDrain. */
  send(response: Response): boolean;
  /** Queues an already encoded message, which many streams may share. */
  sendEncoded(bytes: Uint8Array): boolean;
  end(): void;
  fail(error: EtcdError): void;
  onDrain(listener: () => void): void;
  onAbort(listener: () => void): void;
  readonly aborted: boolean;
  readonly queuedBytes: number;
}

export interface RequestStream<Request> {
  onMessage(listener: (request: Request) => void): void;
  /** The client closed its half; the call itself goes on. */
  onEnd(listener: () => void): void;
  pause(): void;
  resume(): void;
}
