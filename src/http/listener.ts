/**
 * One listening URL: accepts plain, TLS and unix sockets, looks at the first bytes of each connection and hands it
 * to our HTTP/2 layer (the client preface, or ALPN h2) or to node:http (anything else). gRPC and everything else share
 * the port, as etcd's clients expect. Made by the composition root, one for each URL.
 */
import { lstatSync, unlinkSync } from "node:fs";
import { createServer as createNetServer, type Server, type Socket } from "node:net";
import {
  createServer as createTlsServer,
  type TLSSocket,
  type Server as TlsServer,
} from "node:tls";
import type { Clock, Logger } from "../io/index.ts";
import {
  CertificateReload,
  certificateProblem,
  clientAddressProblem,
  clientName,
  readTlsMaterial,
  type TlsFiles,
  type TlsMaterial,
} from "../tls/index.ts";
import type { FetchHandler, RequestInfo } from "./fetch-handler.ts";
import type { GrpcServer } from "./grpc/index.ts";
import {
  DEFAULT_HTTP2_LIMITS,
  DEFAULT_KEEPALIVE,
  type Http2Limits,
  type KeepaliveOptions,
  OutputPool,
} from "./http2/index.ts";
import { type ListenAddress, parseListenUrl, peerAddressOf } from "./listener-address.ts";
import { type FirstBytes, protocolOf, type UpgradeHandler } from "./listener-first-bytes.ts";
import { Http1Server } from "./listener-http1.ts";
import { Http2Session, type SessionServices } from "./listener-session.ts";

export interface ListenerOptions {
  readonly clock: Clock;
  readonly logger: Logger;
  /** http://host:port, https://host:port, unix://path, unixs://path. */
  readonly url: string;
  /** Needed for https and unixs. */
  readonly tls?: TlsFiles;
  /** Absent: gRPC is not served here. */
  readonly grpc?: GrpcServer;
  /** Absent: nothing but gRPC is served here. */
  readonly fetch?: FetchHandler;
  /** Takes over the connections that ask for its protocol. */
  readonly upgrade?: UpgradeHandler;
  readonly limits?: Http2Limits;
  readonly keepalive?: KeepaliveOptions;
  /** Shared by the listeners of a process. */
  readonly pool?: OutputPool;
  readonly connectionsMax?: number;
  readonly handshakeTimeoutMs?: number;
  /** For the first bytes of a connection and for the headers of an HTTP/1.1 request. */
  readonly headerTimeoutMs?: number;
  /** What the log calls this listener: "client" or "peer". */
  readonly name?: string;
}

const DEFAULT_HANDSHAKE_TIMEOUT_MS = 10_000;
const DEFAULT_HEADER_TIMEOUT_MS = 5 * 60_000;
const BACKLOG = 1024;
const POLL_INTERVAL_MS = 10;
/** Close events come in the next turns of the event loop. */
const CLOSE_WAIT_MS_MAX = 1000;

export class Listener implements SessionServices {
  readonly clock: Clock;
  readonly logger: Logger;
  readonly limits: Http2Limits;
  readonly keepalive: KeepaliveOptions;
  readonly pool: OutputPool;
  readonly grpc: GrpcServer | null;
  readonly fetch: FetchHandler | null;
  readonly #options: ListenerOptions;
  readonly #address: ListenAddress;
  readonly #sockets = new Set<Socket>();
  readonly #sessions = new Map<Socket, Http2Session>();
  readonly #http1: Http1Server | null;
  #server: Server | TlsServer | null = null;
  #reload: CertificateReload | null = null;
  #dirty: Http2Session[] = [];
  #stopping = false;

  constructor(options: ListenerOptions) {
    this.#options = options;
    this.clock = options.clock;
    this.logger = options.logger;
    this.limits = options.limits ?? DEFAULT_HTTP2_LIMITS;
    this.keepalive = options.keepalive ?? DEFAULT_KEEPALIVE;
    this.pool = options.pool ?? new OutputPool();
    this.pool.answers.reviewBy(options.clock);
    this.grpc = options.grpc ?? null;
    this.fetch = options.fetch ?? null;
    this.#address = parseListenUrl(options.url);
    const headerTimeoutMs = options.headerTimeoutMs ?? DEFAULT_HEADER_TIMEOUT_MS;
    this.#http1 = this.fetch === null ? null : new Http1Server(this.fetch, this, headerTimeoutMs);
  }

  /** Where it listens: host and port as bound (port 0 becomes the real one), or the socket's path. */
  get address(): { host: string; port: number } | { path: string } {
    const address = this.#server?.address() ?? null;
    if (address === null || typeof address === "string") {
      return { path: this.#address.kind === "unix" ? this.#address.path : "" };
    }
    return { host: address.address, port: address.port };
  }

  get connectionCount(): number {
    return this.#sockets.size;
  }

  /** Binds; rejects with the system's error, or TlsConfigError. */
  start(): Promise<void> {
    const server = this.#address.tls ? this.#tlsServer() : createNetServer();
    this.#server = server;
    if (!this.#address.tls) server.on("connection", (socket: Socket) => this.#onPlain(socket));
    return new Promise((resolve, reject) => {
      server.once("error", reject);
      const ready = (): void => {
        server.off("error", reject);
        server.on("error", (error) => {
          this.logger.warn("listener error", { url: this.#options.url, error: error.message });
        });
        resolve();
      };
      if (this.#address.kind === "unix") {
        removeStaleSocket(this.#address.path);
        server.listen({ path: this.#address.path, backlog: BACKLOG }, ready);
      } else {
        const { host, port } = this.#address;
        server.listen({ host: host || undefined, port, backlog: BACKLOG }, ready);
      }
    });
  }

  /** Stops accepting, lets running calls finish for at most `graceMs`, then closes everything. */
  async stop(graceMs: number): Promise<void> {
    this.#stopping = true;
    this.#reload?.stop();
    this.#server?.close();
    this.#http1?.close();
    for (const session of this.#sessions.values()) session.drain();
    const endMs = this.clock.monotonicMs() + graceMs;
    while (this.#isBusy() && this.clock.monotonicMs() < endMs) {
      await new Promise<void>((resolve) => this.clock.setTimer(POLL_INTERVAL_MS, resolve));
    }
    for (const socket of [...this.#sockets]) socket.destroy();
    // Each call learns of its end by the socket's close event: whoever stops us closes what calls hold open.
    while (this.#sockets.size > 0 && this.clock.monotonicMs() < endMs + CLOSE_WAIT_MS_MAX) {
      await new Promise<void>((resolve) => this.clock.setTimer(1, resolve));
    }
    if (this.#address.kind === "unix") removeStaleSocket(this.#address.path);
  }

  #isBusy(): boolean {
    return this.#sessions.size > 0 || (this.#http1 !== null && this.#http1.busy > 0);
  }

  /** Answers given outside of a data callback leave at the end of the callback that gave them. */
  flushSoon(session: Http2Session): void {
    if (this.#dirty.push(session) === 1) queueMicrotask(() => this.#flushDirty());
  }

  #flushDirty(): void {
    const dirty = this.#dirty;
    this.#dirty = [];
    for (const session of dirty) session.flush();
  }

  #tlsServer(): TlsServer {
    const files = this.#options.tls;
    if (files === undefined) {
      throw new Error(
        `TLS key/cert (--cert-file, --key-file) must be provided for client url ${this.#options.url} with HTTPS scheme`,
      );
    }
    const server = createTlsServer({
      ...contextOf(readTlsMaterial(files)),
      ALPNProtocols: ["h2", "http/1.1"],
      handshakeTimeout: this.#options.handshakeTimeoutMs ?? DEFAULT_HANDSHAKE_TIMEOUT_MS,
    });
    this.#reload = new CertificateReload(files, this.clock, this.logger, (material) => {
      server.setSecureContext(contextOf(material));
    });
    server.on("connection", (socket: Socket) => this.#track(socket));
    server.on("secureConnection", (socket: TLSSocket) => this.#onSecure(socket));
    server.on("tlsClientError", (error: Error, socket: TLSSocket) => {
      this.#onRejected(error, socket);
    });
    return server;
  }

  #onRejected(error: Error, socket: TLSSocket): void {
    const code = (error as NodeJS.ErrnoException).code;
    const fields = {
      "remote-addr": peerAddressOf(socket),
      "server-name": (socket as { servername?: string | false }).servername || "",
      error: error.message,
    };
    const text = `rejected connection on ${this.#options.name ?? "client"} endpoint`;
    // A peer that just went away is no news (port probes do it all the time).
    if (code === "ECONNRESET" || code === "EOF") this.logger.debug(text, fields);
    else this.logger.warn(text, fields);
    socket.destroy();
  }

  /** Counts the connection; false when it was turned away. */
  #track(socket: Socket): boolean {
    const { connectionsMax } = this.#options;
    if (this.#stopping || (connectionsMax !== undefined && this.#sockets.size >= connectionsMax)) {
      socket.destroy();
      return false;
    }
    this.#sockets.add(socket);
    socket.on("close", () => {
      this.#sockets.delete(socket);
      this.#sessions.delete(socket);
    });
    socket.on("error", (error) => {
      this.logger.debug("connection error", {
        "remote-addr": peerAddressOf(socket),
        error: error.message,
      });
    });
    return true;
  }

  #onPlain(socket: Socket): void {
    if (!this.#track(socket)) return;
    this.#peek(socket, {
      peerAddress: peerAddressOf(socket),
      peerName: "",
      isTls: false,
      httpVersion: "1.1",
    });
  }

  #onSecure(socket: TLSSocket): void {
    if (!this.#sockets.has(socket) && !this.#track(socket)) return;
    const { tls } = this.#options;
    const problem = tls === undefined ? null : certificateProblem(socket, tls);
    if (problem !== null) this.#onRejected(new Error(problem), socket);
    else if (tls?.checkClientAddress === true && this.#address.kind === "tcp")
      void this.#checkAddress(socket);
    else this.#startSecure(socket);
  }

  /** Nothing is read meanwhile. */
  async #checkAddress(socket: TLSSocket): Promise<void> {
    const certificate = socket.authorized ? socket.getPeerCertificate() : null;
    const problem = await clientAddressProblem(certificate, socket.remoteAddress ?? "");
    if (socket.destroyed) return;
    if (problem === null) this.#startSecure(socket);
    else this.#onRejected(new Error(problem), socket);
  }

  #startSecure(socket: TLSSocket): void {
    const info: RequestInfo = {
      peerAddress: peerAddressOf(socket),
      peerName: clientName(socket),
      isTls: true,
      httpVersion: "1.1",
    };
    if (socket.alpnProtocol === "h2") this.#startHttp2(socket, info, null);
    else this.#peek(socket, info);
  }

  /** Waits for as many bytes as it takes to tell what is spoken. */
  #peek(socket: Socket, info: RequestInfo): void {
    let seen: Buffer | null = null;
    const timeoutMs = this.#options.headerTimeoutMs ?? DEFAULT_HEADER_TIMEOUT_MS;
    const timer = this.clock.setTimer(timeoutMs, () => socket.destroy());
    const onClose = (): void => timer.cancel();
    const onData = (chunk: Buffer): void => {
      seen = seen === null ? chunk : Buffer.concat([seen, chunk]);
      const found = protocolOf(seen, this.#options.upgrade?.path ?? null);
      if (found === "more") return;
      timer.cancel();
      socket.off("data", onData);
      socket.off("close", onClose);
      this.#startProtocol(found, socket, info, seen);
    };
    socket.on("close", onClose);
    socket.on("data", onData);
  }

  #startProtocol(
    found: Exclude<FirstBytes, "more">,
    socket: Socket,
    info: RequestInfo,
    seen: Buffer,
  ): void {
    if (found === "http2") this.#startHttp2(socket, info, seen);
    else if (found === "http1") this.#startHttp1(socket, info, seen);
    else {
      socket.setNoDelay(true);
      const request = { headers: found.headers, peerAddress: info.peerAddress };
      this.#options.upgrade?.accept(request, socket, seen.subarray(found.bodyOffset));
    }
  }

  #startHttp2(socket: Socket, info: RequestInfo, seen: Buffer | null): void {
    socket.setNoDelay(true);
    const session = new Http2Session(this, socket, { ...info, httpVersion: "2" });
    this.#sessions.set(socket, session);
    if (seen !== null) session.receive(seen);
    if (this.#stopping) session.drain();
  }

  #startHttp1(socket: Socket, info: RequestInfo, seen: Buffer): void {
    if (this.#http1 === null) {
      socket.destroy();
      return;
    }
    socket.unshift(seen);
    this.#http1.accept(socket, info);
  }
}

function contextOf(material: TlsMaterial) {
  // Nothing of node:tls's is added here; the copy is only writable where the types ask for it.
  return { ...material };
}

function removeStaleSocket(path: string): void {
  const stat = lstatSync(path, { throwIfNoEntry: false });
  if (stat?.isSocket()) unlinkSync(path);
}
