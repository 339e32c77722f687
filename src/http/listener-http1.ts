/**
 * Serves HTTP/1.1 by the same fetch handler: node:http parses, a Request goes in, a Response comes out, bodies
 * stream both ways with back-pressure. Sockets come from the listener, after it has seen that they do not speak HTTP/2.
 * A connection that brings no whole header section within the header timeout, be it the first or the next, is closed.
 */
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { Socket } from "node:net";
import { errRequestTooManyRequests, errTimeout } from "../api/index.ts";
import type { Clock, Logger, Timer } from "../io/index.ts";
import {
  announcedBytes,
  type FetchHandler,
  isConnectionField,
  type RequestInfo,
  requestUrl,
  SMALL_ANSWER_BYTES,
} from "./fetch-handler.ts";
import type { AnswerAccount, OutputPool } from "./http2/index.ts";
import { errorResponse } from "./json/index.ts";

const BODY_HIGH_WATER_BYTES = 64 * 1024;

/** What it has of its listener. */
export interface Http1Services {
  readonly clock: Clock;
  readonly logger: Logger;
  readonly pool: OutputPool;
}

export class Http1Server {
  readonly #server: Server;
  readonly #fetch: FetchHandler;
  readonly #logger: Logger;
  readonly #clock: Clock;
  readonly #headerTimeoutMs: number;
  readonly #infos = new WeakMap<Socket, RequestInfo>();
  readonly #timers = new WeakMap<Socket, Timer>();
  readonly #accounts = new WeakMap<Socket, AnswerAccount>();
  readonly #pool: OutputPool;
  #busy = 0;
  #onIdle: (() => void) | null = null;

  constructor(fetch: FetchHandler, services: Http1Services, headerTimeoutMs: number) {
    this.#clock = services.clock;
    this.#pool = services.pool;
    this.#headerTimeoutMs = headerTimeoutMs;
    this.#fetch = fetch;
    this.#logger = services.logger;
    this.#server = createServer((request, response) => this.#onRequest(request, response));
    // Our own timer watches headers and idle connections alike; bodies and answers may take their time.
    this.#server.headersTimeout = 0;
    this.#server.requestTimeout = 0;
    this.#server.keepAliveTimeout = 0;
  }

  /** Takes a socket whose first bytes were put back by unshift. */
  accept(socket: Socket, info: RequestInfo): void {
    this.#infos.set(socket, info);
    this.#awaitHeaders(socket);
    socket.on("close", () => this.#timers.get(socket)?.cancel());
    this.#server.emit("connection", socket);
  }

  #accountOf(socket: Socket): AnswerAccount {
    let account = this.#accounts.get(socket);
    if (account === undefined) {
      account = this.#pool.answers.open();
      account.onClose = () => {
        this.#logger.warn("closed a connection that does not read its answers", {
          "remote-addr": this.#infos.get(socket)?.peerAddress ?? "",
          "unread-bytes": account!.bytes,
        });
        socket.destroy();
      };
      this.#accounts.set(socket, account);
    }
    return account;
  }

  #awaitHeaders(socket: Socket): void {
    this.#timers.get(socket)?.cancel();
    const timer = this.#clock.setTimer(this.#headerTimeoutMs, () => socket.destroy());
    this.#timers.set(socket, timer);
  }

  /** Requests being served. */
  get busy(): number {
    return this.#busy;
  }

  /** Calls `listener` once no request is being served. */
  whenIdle(listener: () => void): void {
    if (this.#busy === 0) listener();
    else this.#onIdle = listener;
  }

  close(): void {
    this.#server.close();
  }

  #onRequest(request: IncomingMessage, response: ServerResponse): void {
    this.#busy++;
    let open = true;
    const { socket } = request;
    this.#timers.get(socket)?.cancel();
    const abort = new AbortController();
    response.on("close", () => {
      if (!open) return;
      open = false;
      abort.abort();
      this.#busy--;
      if (!socket.destroyed) this.#awaitHeaders(socket);
      if (this.#busy > 0 || this.#onIdle === null) return;
      const listener = this.#onIdle;
      this.#onIdle = null;
      listener();
    });
    void this.#serve(request, response, abort.signal);
  }

  async #serve(
    incoming: IncomingMessage,
    outgoing: ServerResponse,
    signal: AbortSignal,
  ): Promise<void> {
    try {
      const info = this.#infos.get(incoming.socket);
      const answers = this.#accountOf(incoming.socket);
      const request = info === undefined ? null : requestOf(incoming, info, signal);
      let response: Response;
      if (request === null || info === undefined) {
        response = new Response("bad request", { status: 400 });
      } else if (answers.allows(0)) {
        response = await this.#fetch(request, info);
      } else {
        response = errorResponse(errRequestTooManyRequests);
      }
      const bytes = announcedBytes(response);
      if (bytes >= SMALL_ANSWER_BYTES && !answers.allows(bytes)) {
        await response.body?.cancel();
        // What was asked for may have been done.
        response = errorResponse(errTimeout);
      }
      await send(outgoing, response, incoming.method === "HEAD", answers);
      // What the handler did not read of the request is thrown away, or the connection would hang.
      if (!incoming.readableEnded) incoming.resume();
    } catch (error) {
      if (outgoing.destroyed) return;
      this.#logger.error("failed to serve HTTP request", {
        path: incoming.url ?? "",
        error: String(error),
      });
      if (outgoing.headersSent) outgoing.destroy();
      else outgoing.writeHead(500).end();
    }
  }
}

function requestOf(
  incoming: IncomingMessage,
  info: RequestInfo,
  signal: AbortSignal,
): Request | null {
  const scheme = info.isTls ? "https" : "http";
  const url = requestUrl(scheme, incoming.headers.host ?? "", incoming.url ?? "");
  if (url === null) return null;
  const headers = new Headers();
  for (let i = 0; i < incoming.rawHeaders.length; i += 2) {
    headers.append(incoming.rawHeaders[i]!, incoming.rawHeaders[i + 1]!);
  }
  const method = incoming.method ?? "GET";
  if (method === "GET" || method === "HEAD") return new Request(url, { method, headers, signal });
  return new Request(url, { method, headers, signal, body: bodyOf(incoming) });
}

function bodyOf(incoming: IncomingMessage): ReadableStream<Uint8Array> {
  let done = false;
  return new ReadableStream<Uint8Array>(
    {
      start(controller) {
        incoming.on("data", (chunk: Buffer) => {
          if (done) return;
          controller.enqueue(new Uint8Array(chunk));
          if ((controller.desiredSize ?? 0) <= 0) incoming.pause();
        });
        incoming.on("end", () => {
          if (!done) controller.close();
          done = true;
        });
        incoming.on("error", (error) => {
          if (!done) controller.error(error);
          done = true;
        });
        incoming.on("aborted", () => {
          if (!done) controller.error(new Error("request aborted"));
          done = true;
        });
      },
      pull() {
        incoming.resume();
      },
      cancel() {
        done = true;
        incoming.resume();
      },
    },
    { highWaterMark: BODY_HIGH_WATER_BYTES, size: (chunk) => chunk?.length ?? 0 },
  );
}

async function send(
  outgoing: ServerResponse,
  response: Response,
  headOnly: boolean,
  answers: AnswerAccount,
): Promise<void> {
  const fields: string[] = [];
  response.headers.forEach((value, name) => {
    if (!isConnectionField(name)) fields.push(name, value);
  });
  outgoing.writeHead(response.status, fields);
  if (headOnly || response.body === null) {
    outgoing.end();
    return;
  }
  // A body of known size is all there from the start; of a stream, what was taken out of it and not yet sent.
  let waitingBytes = announcedBytes(response);
  answers.add(waitingBytes);
  const giveBack = (bytes: number): void => {
    const counted = Math.min(bytes, waitingBytes);
    waitingBytes -= counted;
    answers.giveBack(counted);
  };
  try {
    const reader = response.body.getReader();
    for (;;) {
      const { done, value } = await reader.read();
      if (outgoing.destroyed) {
        await reader.cancel();
        return;
      }
      if (done) break;
      const isBlocked = !outgoing.write(value);
      if (isBlocked && waitingBytes < value.length) {
        answers.add(value.length - waitingBytes);
        waitingBytes = value.length;
      }
      if (isBlocked) await drained(outgoing);
      giveBack(value.length);
    }
    outgoing.end();
  } finally {
    giveBack(waitingBytes);
  }
}

function drained(outgoing: ServerResponse): Promise<void> {
  return new Promise((resolve) => {
    const wake = (): void => {
      outgoing.off("drain", wake);
      outgoing.off("close", wake);
      resolve();
    };
    outgoing.on("drain", wake);
    outgoing.on("close", wake);
  });
}
