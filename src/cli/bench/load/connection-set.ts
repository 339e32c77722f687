/**
 * The connections of a load run: as many as asked for, spread over the endpoints, opened again when they are lost.
 * Slot s of a run belongs to connection s % size for its whole life.
 */
import { type Endpoint, parseEndpoint, type TlsOptions } from "../../../client/index.ts";
import { type ConnectionOwner, LoadConnection } from "../wire/load-connection.ts";
import { openSocket } from "../wire/open-socket.ts";

const REDIAL_PAUSE_MS = 200;

/** Where the load goes and how to get in. */
export interface Target {
  readonly endpoints: readonly string[];
  readonly tls: TlsOptions | undefined;
  readonly token: string | null;
  readonly dialTimeoutMs: number;
}

export interface CallListener {
  /** `code` 0 is success; `atMs` is when the answer's bytes arrived. */
  onAnswer(slot: number, code: number, message: string, atMs: number): void;
  onBytes?(slot: number, bytes: Buffer, from: number, to: number, atMs: number): void;
  onBatch(): void;
  onLost(index: number, slots: readonly number[], reason: string): void;
  /** A lost connection is there again. */
  onRestored(index: number): void;
}

export class ConnectionSet implements ConnectionOwner {
  readonly size: number;
  onBytes?: ConnectionOwner["onBytes"];
  readonly #target: Target;
  readonly #path: string;
  readonly #listener: CallListener;
  readonly #endpoints: Endpoint[];
  readonly #connections: (LoadConnection | null)[];
  readonly #opening = new Map<LoadConnection, (failure: Error | null) => void>();
  readonly #timers = new Set<ReturnType<typeof setTimeout>>();
  #isClosed = false;

  constructor(target: Target, size: number, path: string, listener: CallListener) {
    this.size = size;
    this.#target = target;
    this.#path = path;
    this.#listener = listener;
    this.#endpoints = target.endpoints.map((name) => {
      const parsed = parseEndpoint(name, target.tls !== undefined);
      if ("failure" in parsed) throw new Error(parsed.failure);
      return parsed.endpoint;
    });
    this.#connections = new Array<LoadConnection | null>(size).fill(null);
    if (listener.onBytes !== undefined) {
      this.onBytes = (connection, slot, bytes, from, to) =>
        listener.onBytes!(slot, bytes, from, to, connection.receivedMs);
    }
  }

  /** Opens all; fails with the first failure. */
  async open(): Promise<void> {
    const all = this.#connections.map((_, index) => this.#dial(index));
    await Promise.all(all);
  }

  /** The connection of a slot, or null while it cannot take calls. */
  of(slot: number): LoadConnection | null {
    const connection = this.#connections[slot % this.size]!;
    return connection?.isUsable ? connection : null;
  }

  abandon(index: number, reason: string): void {
    this.#connections[index]?.abandon(reason);
  }

  close(): void {
    this.#isClosed = true;
    for (const timer of this.#timers) clearTimeout(timer);
    for (const connection of this.#connections) connection?.close();
  }

  onReady(connection: LoadConnection): void {
    this.#opening.get(connection)?.(null);
  }

  onAnswer(connection: LoadConnection, slot: number, code: number, message: string): void {
    this.#listener.onAnswer(slot, code, message, connection.receivedMs);
  }

  onBatch(): void {
    this.#listener.onBatch();
  }

  onLost(connection: LoadConnection, slots: readonly number[], reason: string): void {
    this.#opening.get(connection)?.(new Error(reason));
    const index = this.#connections.indexOf(connection);
    if (index < 0 || this.#isClosed) return;
    this.#connections[index] = null;
    this.#redialLater(index);
    this.#listener.onLost(index, slots, reason);
  }

  async #dial(index: number): Promise<void> {
    const { tls, token, dialTimeoutMs } = this.#target;
    const endpoint = this.#endpoints[index % this.#endpoints.length]!;
    const socket = await openSocket(endpoint, tls, dialTimeoutMs);
    if (this.#isClosed) {
      socket.destroy();
      return;
    }
    const { authority } = endpoint;
    const head = { path: this.#path, authority, tls: endpoint.tls, token };
    const connection = new LoadConnection(socket, head, this);
    await this.#settled(connection, endpoint);
    this.#connections[index] = connection;
  }

  /** Waits for the server's first settings. */
  #settled(connection: LoadConnection, endpoint: Endpoint): Promise<void> {
    return new Promise((resolve, reject) => {
      const finish = (failure: Error | null) => {
        clearTimeout(timer);
        this.#opening.delete(connection);
        if (failure === null) {
          resolve();
          return;
        }
        connection.close();
        reject(new Error(`cannot connect to ${endpoint.name}: ${failure.message}`));
      };
      const { dialTimeoutMs } = this.#target;
      const late = new Error(`no HTTP/2 settings within ${dialTimeoutMs} ms`);
      const timer = setTimeout(() => finish(late), dialTimeoutMs);
      this.#opening.set(connection, finish);
    });
  }

  #redialLater(index: number): void {
    const timer = setTimeout(() => {
      this.#timers.delete(timer);
      this.#dial(index).then(
        () => {
          if (!this.#isClosed) this.#listener.onRestored(index);
        },
        () => {
          if (!this.#isClosed) this.#redialLater(index);
        },
      );
    }, REDIAL_PAUSE_MS);
    this.#timers.add(timer);
  }
}
