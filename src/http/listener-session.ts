/**
 * Joins one socket with one HTTP/2 connection: bytes in, output out, timers. Output goes out with one write at the end
 * of the callback that produced it: answers given while reading leave with that chunk, answers given later leave
 * together at the end of the turn's callback (see flushSoon). While the socket does not drain, nothing is written and
 * the streams' queues hold what the peer does not take.
 */
import type { Socket } from "node:net";
import type { Clock, Logger, Timer } from "../io/index.ts";
import type { FetchHandler, RequestInfo } from "./fetch-handler.ts";
import { FetchStream } from "./fetch-stream.ts";
import { type GrpcPeer, type GrpcServer, isGrpcRequest } from "./grpc/index.ts";
import {
  type ConnectionHost,
  ErrorCode,
  Http2Connection,
  type Http2Limits,
  type Http2Stream,
  IdleWatch,
  type KeepaliveOptions,
  type OutputPool,
  type RequestHandler,
  type RequestHead,
} from "./http2/index.ts";

/** What all sessions of a listener share. */
export interface SessionServices {
  readonly clock: Clock;
  readonly logger: Logger;
  readonly limits: Http2Limits;
  readonly keepalive: KeepaliveOptions;
  readonly pool: OutputPool;
  /** Null where gRPC is not served. */
  readonly grpc: GrpcServer | null;
  /** Null where nothing but gRPC is served. */
  readonly fetch: FetchHandler | null;
  flushSoon(session: Http2Session): void;
}

/** Writes in a row before other connections get their turn. */
const WRITES_PER_FLUSH = 4;
/** How long a finished connection may take to send its last bytes. */
const LINGER_MS = 1000;

export class Http2Session implements ConnectionHost, RequestHandler {
  readonly #services: SessionServices;
  readonly #socket: Socket;
  readonly #info: RequestInfo;
  readonly #connection: Http2Connection;
  readonly #peer: GrpcPeer | null;
  readonly #idle: IdleWatch;
  #timer: Timer | null = null;
  /** The socket holds bytes that the kernel did not take yet. */
  #blocked = false;
  /** How many of them are counted as waiting. */
  #blockedBytes = 0;
  #closing = false;

  constructor(services: SessionServices, socket: Socket, info: RequestInfo) {
    this.#services = services;
    this.#socket = socket;
    this.#info = info;
    this.#peer = services.grpc?.peer(info.peerName, info.peerAddress) ?? null;
    this.#idle = new IdleWatch(services.keepalive);
    this.#connection = new Http2Connection(this, this, {
      limits: services.limits,
      keepalive: services.keepalive,
      pool: services.pool,
      nowMs: services.clock.monotonicMs(),
    });
    socket.on("data", (chunk: Buffer) => this.receive(chunk));
    this.#connection.answers.onClose = () => this.#closeUnread();
    socket.on("drain", () => {
      this.#unblock();
      this.flush();
    });
    socket.on("close", () => this.#onClose());
    this.#watchIdle();
  }

  receive(chunk: Buffer): void {
    this.#connection.receive(chunk, this.#services.clock.monotonicMs());
    this.flush();
  }

  flush(): void {
    const connection = this.#connection;
    const socket = this.#socket;
    if (this.#blocked || socket.destroyed) return;
    const { out } = connection;
    for (let writes = 0; writes < WRITES_PER_FLUSH; writes++) {
      connection.prepareOutput();
      const length = out.position;
      if (length === 0) break;
      const accepted = socket.write(out.bytes.subarray(0, length));
      if (socket.writableLength === 0) {
        // Everything is with the kernel: the buffer is ours again.
        this.#services.pool.release(out);
        continue;
      }
      this.#services.pool.detach(out);
      if (!accepted) {
        this.#blocked = true;
        this.#blockedBytes = socket.writableLength;
        connection.answers.add(this.#blockedBytes);
        return;
      }
    }
    if (connection.hasMore) this.#services.clock.soon(() => this.flush());
    else if (this.#closing && out.position === 0) socket.end();
  }

  onOutput(): void {
    this.#services.flushSoon(this);
  }

  onFinished(): void {
    this.#closing = true;
    this.#timer?.cancel();
    this.#timer = this.#services.clock.setTimer(LINGER_MS, () => this.#socket.destroy());
    this.#services.flushSoon(this);
  }

  onRequest(stream: Http2Stream, head: RequestHead): void {
    const { grpc, fetch, logger } = this.#services;
    if (grpc !== null && this.#peer !== null && isGrpcRequest(head)) {
      grpc.serve(stream, head, this.#peer);
    } else if (!this.#connection.answers.allows(0)) {
      stream.reset(ErrorCode.RefusedStream);
    } else if (fetch !== null) {
      const served = new FetchStream(stream, logger);
      stream.consumer = served;
      void served.serve(head, fetch, this.#info);
    } else {
      stream.sendHeaders([":status", "415"], true);
    }
  }

  /** Refuses new calls, waits for the running ones, closes. */
  drain(): void {
    this.#connection.drain();
  }

  destroy(): void {
    this.#socket.destroy();
  }

  #unblock(): void {
    this.#blocked = false;
    this.#connection.answers.giveBack(this.#blockedBytes);
    this.#blockedBytes = 0;
  }

  #closeUnread(): void {
    this.#services.logger.warn("closed a connection that does not read its answers", {
      "remote-addr": this.#info.peerAddress,
      "unread-bytes": this.#connection.answers.bytes,
    });
    this.#socket.destroy();
  }

  #onClose(): void {
    this.#timer?.cancel();
    this.#unblock();
    this.#connection.abort(ErrorCode.Cancel);
    this.#services.pool.release(this.#connection.out);
  }

  #watchIdle(): void {
    const connection = this.#connection;
    const { clock } = this.#services;
    if (this.#closing) return;
    const verdict = this.#idle.check(clock.monotonicMs(), connection.lastReceivedMs);
    if (verdict === "dead") {
      this.#socket.destroy();
      return;
    }
    if (verdict === "ping") connection.keepalivePing();
    const waitMs = verdict === "ping" ? this.#services.keepalive.timeoutMs : verdict;
    if (waitMs === Number.POSITIVE_INFINITY) return;
    this.#timer = clock.setTimer(waitMs, () => this.#watchIdle());
  }
}
