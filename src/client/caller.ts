/**
 * Makes calls: finds a connection, adds deadline and credentials, retries what may be retried. The typed
 * services (kv, lease, ...) sit on it.
 *
 * What may be retried (incident 23 in the project's list: a client library that repeated writes lost
 * updates): a read after Unavailable; any call as long as no byte of it was sent, which is why waiting for a
 * connection is not a retry; and any call that the member refused because of its token, once, after logging in
 * again. A write whose outcome is unknown is never repeated.
 */
import {
  EtcdError,
  errAuthOldRevision,
  errCanceled,
  errContextCanceled,
  errContextDeadlineExceeded,
  errInvalidAuthToken,
  GrpcCode,
  METHODS,
  type MethodRow,
  ProtoError,
  ProtoWriter,
} from "../api/index.ts";
import type { Clock } from "../io/index.ts";
import { Balancer } from "./balancer.ts";
import type { Connection } from "./connection.ts";
import { type CallListener, GrpcCall } from "./grpc-call.ts";
import {
  type CallOptions,
  type ClientOptions,
  DIAL_TIMEOUT_DEFAULT_MS,
  KEEPALIVE_TIME_MIN_MS,
  KEEPALIVE_TIMEOUT_DEFAULT_MS,
  RECEIVE_BYTES_MAX_DEFAULT,
  SEND_BYTES_MAX_DEFAULT,
} from "./options.ts";

const ATTEMPTS_MAX = 100;
const ROUND_PAUSE_MS = 25;
const FRAME_PREFIX_BYTES = 5;

const methodsByPath = new Map(METHODS.map((row) => [row.path, row]));

/** Reads may be repeated after Unavailable, writes may not. */
export type CallKind = "read" | "write";

/** Logs in and gives the token; null while authentication is off. */
export type LogIn = () => Promise<string | null>;

interface Deadline {
  /** Monotonic milliseconds; Infinity without one. */
  readonly atMs: number;
  readonly signal: AbortSignal | undefined;
}

export class Caller {
  readonly clock: Clock;
  readonly #options: ClientOptions;
  readonly #balancer: Balancer;
  readonly #receiveBytesMax: number;
  readonly #sendBytesMax: number;
  #token: string | null;
  #logIn: LogIn | null = null;

  constructor(options: ClientOptions) {
    this.clock = options.clock;
    this.#options = options;
    this.#token = options.token ?? null;
    this.#receiveBytesMax = options.receiveBytesMax ?? RECEIVE_BYTES_MAX_DEFAULT;
    this.#sendBytesMax = options.sendBytesMax ?? SEND_BYTES_MAX_DEFAULT;
    this.#balancer = new Balancer(options.endpoints, {
      clock: options.clock,
      tls: options.tls,
      dialTimeoutMs: options.dialTimeoutMs ?? DIAL_TIMEOUT_DEFAULT_MS,
      keepaliveTimeMs: Math.max(KEEPALIVE_TIME_MIN_MS, options.keepaliveTimeMs ?? 0),
      keepaliveTimeoutMs: options.keepaliveTimeoutMs ?? KEEPALIVE_TIMEOUT_DEFAULT_MS,
    });
  }

  setLogIn(logIn: LogIn): void {
    this.#logIn = logIn;
  }

  setToken(token: string | null): void {
    this.#token = token;
  }

  async unary<Response>(
    path: string,
    request: unknown,
    kind: CallKind,
    options: CallOptions = {},
  ): Promise<Response> {
    const method = methodOf(path);
    const frame = this.#frame(method, request);
    const deadline = this.#deadline(options);
    let loggedIn = false;
    for (let attempt = 0; ; attempt++) {
      const outcome = await this.#attempt(method, frame, options, deadline, attempt);
      if (!(outcome instanceof EtcdError)) return decode<Response>(method, outcome);
      if (isTokenError(outcome) && this.#logIn !== null && !loggedIn) {
        loggedIn = true;
        this.#token = await this.#logIn();
        continue;
      }
      const repeat = kind === "read" && outcome.code === GrpcCode.Unavailable;
      if (!repeat || attempt + 1 >= ATTEMPTS_MAX || this.#over(deadline)) {
        throw this.#final(outcome, deadline);
      }
      if ((attempt + 1) % Math.max(1, this.#balancer.endpointCount) === 0) await this.#pause();
    }
  }

  /** Opens a streaming call; rejects when no connection was to be had. */
  async stream(
    path: string,
    listener: StreamListener,
    options: CallOptions = {},
  ): Promise<OpenStream> {
    const method = methodOf(path);
    const deadline = this.#deadline(options);
    const connection = await this.#pick(deadline);
    let timer: { cancel(): void } | null = null;
    const abort = () => call.cancel();
    const call = this.#open(connection, method, options, deadline, {
      onMessage: (message) => {
        try {
          listener.onMessage(method.decodeResponse(message) as never);
        } catch (error) {
          if (!(error instanceof ProtoError)) throw error;
          call.cancel();
        }
      },
      onClose: (error) => {
        timer?.cancel();
        options.signal?.removeEventListener("abort", abort);
        listener.onClose(error === null ? null : this.#final(error, deadline));
      },
    });
    if (deadline.atMs !== Number.POSITIVE_INFINITY) {
      const delay = Math.max(0, deadline.atMs - this.clock.monotonicMs());
      timer = this.clock.setTimer(delay, () => call.cancel());
    }
    options.signal?.addEventListener("abort", abort);
    return {
      send: (request) => call.send(this.#frame(method, request)),
      endSending: () => call.endSending(),
      cancel: () => call.cancel(),
      pause: () => call.pause(),
      resume: () => call.resume(),
    };
  }

  close(): void {
    this.#balancer.close();
  }

  async #attempt(
    method: MethodRow,
    frame: Uint8Array,
    options: CallOptions,
    deadline: Deadline,
    attempt: number,
  ): Promise<Uint8Array | EtcdError> {
    let connection: Connection | null = null;
    let outcome: Uint8Array | EtcdError;
    try {
      connection = await this.#pick(deadline);
      outcome = await this.#send(connection, method, frame, options, deadline);
    } catch (error) {
      if (!(error instanceof EtcdError)) throw error;
      outcome = error;
    }
    if (outcome instanceof EtcdError) {
      this.#options.onAttemptFailed?.({
        method: method.path,
        attempt,
        code: outcome.code,
        description: outcome.message,
        endpoint: connection?.endpoint.name ?? this.#options.endpoints[0] ?? "",
        peer: connection?.peer ?? null,
      });
    }
    return outcome;
  }

  #send(
    connection: Connection,
    method: MethodRow,
    frame: Uint8Array,
    options: CallOptions,
    deadline: Deadline,
  ): Promise<Uint8Array | EtcdError> {
    return new Promise((resolve) => {
      let answer: Uint8Array | null = null;
      let timer: { cancel(): void } | null = null;
      const abort = () => call.cancel();
      const call = this.#open(connection, method, options, deadline, {
        onMessage(message) {
          answer = message;
        },
        onClose(error) {
          timer?.cancel();
          deadline.signal?.removeEventListener("abort", abort);
          const missing = new EtcdError(GrpcCode.Internal, "the answer carries no message");
          resolve(error ?? answer ?? missing);
        },
      });
      if (deadline.atMs !== Number.POSITIVE_INFINITY) {
        const delay = Math.max(0, deadline.atMs - this.clock.monotonicMs());
        timer = this.clock.setTimer(delay, () => {
          resolve(errContextDeadlineExceeded);
          call.cancel();
        });
      }
      deadline.signal?.addEventListener("abort", abort);
      call.sendLast(frame);
    });
  }

  #open(
    connection: Connection,
    method: MethodRow,
    options: CallOptions,
    deadline: Deadline,
    listener: CallListener,
  ): GrpcCall {
    const headers: Record<string, string> = {
      ":method": "POST",
      ":path": method.path,
      ":authority": connection.endpoint.authority,
      "content-type": "application/grpc",
      "user-agent": "cairn-client",
      te: "trailers",
    };
    if (deadline.atMs !== Number.POSITIVE_INFINITY) {
      const leftMs = Math.max(1, Math.ceil(deadline.atMs - this.clock.monotonicMs()));
      headers["grpc-timeout"] = grpcTimeout(leftMs);
    }
    if (options.requireLeader) headers.hasleader = "true";
    if (this.#token !== null) headers.token = this.#token;
    const stream = connection.request(headers);
    if (stream === null)
      throw new EtcdError(GrpcCode.Unavailable, "there is no connection available");
    const failure = () => connection.lastFailure || "error reading from server: EOF";
    return new GrpcCall(stream, this.#receiveBytesMax, failure, listener);
  }

  #pick(deadline: Deadline): Promise<Connection> {
    if (deadline.signal?.aborted) return Promise.reject(errContextCanceled);
    return this.#balancer.pick(deadline.atMs, deadline.signal);
  }

  #frame(method: MethodRow, request: unknown): Uint8Array {
    const writer = new ProtoWriter();
    writer.position = FRAME_PREFIX_BYTES;
    method.encodeRequest(writer, request as never);
    const bytes = writer.bytes.subarray(0, writer.position);
    const length = bytes.length - FRAME_PREFIX_BYTES;
    if (length > this.#sendBytesMax) {
      throw new EtcdError(
        GrpcCode.ResourceExhausted,
        `trying to send message larger than max (${length} vs. ${this.#sendBytesMax})`,
      );
    }
    new DataView(bytes.buffer, bytes.byteOffset).setUint32(1, length);
    bytes[0] = 0;
    return bytes;
  }

  #deadline(options: CallOptions): Deadline {
    const { timeoutMs, signal } = options;
    const atMs =
      timeoutMs === undefined ? Number.POSITIVE_INFINITY : this.clock.monotonicMs() + timeoutMs;
    return { atMs, signal };
  }

  #over(deadline: Deadline): boolean {
    return deadline.signal?.aborted === true || this.clock.monotonicMs() >= deadline.atMs;
  }

  /** Whoever waited until the deadline hears of the deadline, whatever the last attempt said. */
  #final(error: EtcdError, deadline: Deadline): EtcdError {
    if (error.code === GrpcCode.DeadlineExceeded) return errContextDeadlineExceeded;
    if (deadline.signal?.aborted) return errContextCanceled;
    if (error.code === GrpcCode.Canceled && this.clock.monotonicMs() >= deadline.atMs) {
      return errContextDeadlineExceeded;
    }
    return error === errCanceled ? errContextCanceled : error;
  }

  #pause(): Promise<void> {
    return new Promise((resolve) => this.clock.setTimer(ROUND_PAUSE_MS, resolve));
  }
}

export interface StreamListener {
  /** A decoded message; the caller names the type. */
  onMessage(message: never): void;
  onClose(error: EtcdError | null): void;
}

export interface OpenStream {
  send(request: unknown): boolean;
  endSending(): void;
  cancel(): void;
  pause(): void;
  resume(): void;
}

function methodOf(path: string): MethodRow {
  const method = methodsByPath.get(path);
  if (method === undefined) throw new EtcdError(GrpcCode.Unimplemented, `unknown method ${path}`);
  return method;
}

function decode<Response>(method: MethodRow, bytes: Uint8Array): Response {
  try {
    return method.decodeResponse(bytes) as Response;
  } catch (error) {
    if (!(error instanceof ProtoError)) throw error;
    throw new EtcdError(
      GrpcCode.Internal,
      `grpc: failed to unmarshal the received message: ${error.message}`,
    );
  }
}

function isTokenError(error: EtcdError): boolean {
  return (
    error.message === errInvalidAuthToken.message || error.message === errAuthOldRevision.message
  );
}

/** gRPC allows at most eight digits. */
function grpcTimeout(milliseconds: number): string {
  if (milliseconds < 1e8) return `${milliseconds}m`;
  const seconds = Math.ceil(milliseconds / 1000);
  return seconds < 1e8 ? `${seconds}S` : `${Math.ceil(seconds / 3600)}H`;
}
