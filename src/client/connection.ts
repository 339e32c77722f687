/**
 * One HTTP/2 connection to one endpoint, made when wanted and made again after failures with growing pauses.
 * The balancer owns it.
 *
 * Invariants: `onChange` is called after every change of state; a state "ready" means that the server's
 * settings arrived; a session that said GOAWAY gets no new calls.
 */
import { type ClientHttp2Session, type ClientHttp2Stream, connect } from "node:http2";
import type { Socket } from "node:net";
import type { Clock, Timer } from "../io/index.ts";
import { alertText, dial } from "./dial.ts";
import type { Endpoint } from "./endpoint.ts";
import type { PeerAddresses, TlsOptions } from "./options.ts";

const REDIAL_FIRST_MS = 100;
const REDIAL_MAX_MS = 3000;
const REDIAL_FACTOR = 1.6;
/**
 * Receive windows of a stream and of the connection. They must be equal: the runtime credits a stream only after half
 * of the connection's window, so with a smaller stream window any answer longer than it would stall for ever.
 */
const WINDOW_BYTES = 8 << 20;

export interface ConnectionSettings {
  readonly clock: Clock;
  readonly tls: TlsOptions | undefined;
  readonly dialTimeoutMs: number;
  readonly keepaliveTimeMs: number;
  readonly keepaliveTimeoutMs: number;
}

export type ConnectionState = "idle" | "connecting" | "ready" | "waiting" | "closed";

export class Connection {
  readonly endpoint: Endpoint;
  state: ConnectionState = "idle";
  /** Why the last attempt or session ended, in Go's words. */
  lastFailure = "";
  peer: PeerAddresses | null = null;
  readonly #settings: ConnectionSettings;
  readonly #onChange: () => void;
  #session: ClientHttp2Session | null = null;
  #abandonDial: (() => void) | null = null;
  #timer: Timer | null = null;
  #pingTimer: Timer | null = null;
  #pauseMs = REDIAL_FIRST_MS;
  #openCalls = 0;

  constructor(endpoint: Endpoint, settings: ConnectionSettings, onChange: () => void) {
    this.endpoint = endpoint;
    this.#settings = settings;
    this.#onChange = onChange;
  }

  /** Starts connecting unless that is done, under way or waiting for its turn. */
  open(): void {
    if (this.state !== "idle") return;
    this.#change("connecting");
    const deadline = this.#settings.clock.setTimer(this.#settings.dialTimeoutMs, () =>
      this.#failed("transport: Error while dialing: context deadline exceeded"),
    );
    this.#timer = deadline;
    this.#abandonDial = dial(this.endpoint, this.#settings.tls, {
      onOpen: (socket) => this.#start(socket),
      onFailure: (text) => this.#failed(`transport: ${text}`),
    });
  }

  /** Opens a stream for a call; null when the connection cannot take one now. */
  request(headers: Record<string, string>): ClientHttp2Stream | null {
    const session = this.#session;
    if (this.state !== "ready" || session === null || session.closed || session.destroyed)
      return null;
    const stream = session.request(headers);
    this.#openCalls++;
    stream.once("close", () => this.#openCalls--);
    this.#schedulePing(session);
    return stream;
  }

  close(): void {
    this.#stopTimers();
    this.#abandonDial?.();
    this.#abandonDial = null;
    const session = this.#session;
    this.#session = null;
    this.state = "closed";
    session?.destroy();
  }

  #start(socket: Socket): void {
    this.#abandonDial = null;
    const scheme = this.endpoint.tls ? "https" : "http";
    const session = connect(`${scheme}://${this.endpoint.authority}`, {
      createConnection: () => socket,
      settings: { enablePush: false, initialWindowSize: WINDOW_BYTES },
    });
    this.#session = session;
    this.peer = {
      remote: this.endpoint.path || `${socket.remoteAddress}:${socket.remotePort}`,
      local: this.endpoint.path ? "@" : `${socket.localAddress}:${socket.localPort}`,
      tls: this.endpoint.tls,
    };
    session.once("remoteSettings", () => {
      if (this.#session !== session) return;
      session.setLocalWindowSize(WINDOW_BYTES);
      this.#timer?.cancel();
      this.#timer = null;
      this.#pauseMs = REDIAL_FIRST_MS;
      this.#change("ready");
    });
    session.on("error", (error) => this.#lost(session, errorWords(error)));
    session.on("close", () => this.#lost(session, "error reading from server: EOF"));
    session.on("goaway", () => this.#drain(session));
  }

  /** Lets the open calls of a session finish that takes no new ones. */
  #drain(session: ClientHttp2Session): void {
    if (this.#session !== session) return;
    this.#session = null;
    this.#stopTimers();
    session.close();
    this.#change("idle");
  }

  #lost(session: ClientHttp2Session, why: string): void {
    if (this.#session !== session) return;
    if (this.state === "connecting") this.#failed(`transport: ${why}`);
    else {
      this.#session = null;
      this.#stopTimers();
      this.lastFailure = why;
      this.#change("idle");
    }
    session.destroy();
  }

  #failed(why: string): void {
    this.#abandonDial?.();
    this.#abandonDial = null;
    this.#stopTimers();
    const session = this.#session;
    this.#session = null;
    session?.destroy();
    this.peer = null;
    this.lastFailure = `connection error: desc = "${why}"`;
    this.#timer = this.#settings.clock.setTimer(this.#pauseMs, () => {
      this.#timer = null;
      this.#change("idle");
    });
    this.#pauseMs = Math.min(this.#pauseMs * REDIAL_FACTOR, REDIAL_MAX_MS);
    this.#change("waiting");
  }

  #schedulePing(session: ClientHttp2Session): void {
    if (this.#pingTimer !== null || this.#session !== session) return;
    const { clock, keepaliveTimeMs, keepaliveTimeoutMs } = this.#settings;
    this.#pingTimer = clock.setTimer(keepaliveTimeMs, () => {
      this.#pingTimer = null;
      if (this.#openCalls === 0 || this.#session !== session) return;
      this.#pingTimer = clock.setTimer(keepaliveTimeoutMs, () => {
        this.#pingTimer = null;
        this.#lost(session, "keepalive ping failed to receive ACK within timeout");
      });
      session.ping(() => {
        this.#pingTimer?.cancel();
        this.#pingTimer = null;
        this.#schedulePing(session);
      });
    });
  }

  #stopTimers(): void {
    this.#timer?.cancel();
    this.#timer = null;
    this.#pingTimer?.cancel();
    this.#pingTimer = null;
  }

  #change(state: ConnectionState): void {
    if (this.state === "closed") return;
    this.state = state;
    this.#onChange();
  }
}

function errorWords(error: NodeJS.ErrnoException): string {
  if (error.code === "ECONNRESET") return "error reading from server: connection reset by peer";
  return `error reading from server: ${alertText(error.message)}`;
}
