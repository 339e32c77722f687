/**
 * Chooses the connection for the next call: round robin over the endpoints that are up, waiting while none
 * is. All endpoints are dialed while somebody waits, so that a dead first one costs nothing.
 */
import { EtcdError, GrpcCode } from "../api/index.ts";
import type { Timer } from "../io/index.ts";
import { Connection, type ConnectionSettings } from "./connection.ts";
import { type Endpoint, parseEndpoint } from "./endpoint.ts";

const WAITERS_MAX = 100_000;

interface Waiter {
  resolve(connection: Connection): void;
  reject(error: EtcdError): void;
  timer: Timer | null;
  forgetSignal(): void;
}

function settle(waiter: Waiter): void {
  waiter.timer?.cancel();
  waiter.forgetSignal();
}

export class Balancer {
  readonly #settings: ConnectionSettings;
  readonly #connections: Connection[] = [];
  readonly #waiters = new Set<Waiter>();
  #parseFailure = "";
  #next = 0;
  #closed = false;

  constructor(endpoints: readonly string[], settings: ConnectionSettings) {
    this.#settings = settings;
    const tlsByDefault = settings.tls !== undefined && !settings.tls.onlyWithScheme;
    for (const name of endpoints) {
      const result = parseEndpoint(name, tlsByDefault);
      if ("failure" in result) {
        this.#parseFailure = `connection error: desc = "transport: Error while dialing: ${result.failure}"`;
      } else this.#add(result.endpoint);
    }
  }

  #add(endpoint: Endpoint): void {
    const connection = new Connection(endpoint, this.#settings, () => this.#changed(connection));
    this.#connections.push(connection);
  }

  get endpointCount(): number {
    return this.#connections.length;
  }

  /** The next connection that is up; waits for one until `deadlineMs` (monotonic) or `signal`. */
  pick(deadlineMs: number, signal?: AbortSignal): Promise<Connection> {
    const ready = this.#nextReady();
    if (ready !== null) return Promise.resolve(ready);
    if (this.#closed) return Promise.reject(closedError());
    if (this.#waiters.size >= WAITERS_MAX) {
      return Promise.reject(
        new EtcdError(GrpcCode.ResourceExhausted, "too many calls are waiting"),
      );
    }
    return new Promise((resolve, reject) =>
      this.#wait({ resolve, reject, timer: null, forgetSignal() {} }, deadlineMs, signal),
    );
  }

  #wait(waiter: Waiter, deadlineMs: number, signal: AbortSignal | undefined): void {
    const { clock } = this.#settings;
    const giveUp = (error: EtcdError) => {
      if (this.#waiters.delete(waiter)) {
        settle(waiter);
        waiter.reject(error);
      }
    };
    this.#waiters.add(waiter);
    if (deadlineMs !== Number.POSITIVE_INFINITY) {
      const delay = Math.max(0, deadlineMs - clock.monotonicMs());
      waiter.timer = clock.setTimer(delay, () => giveUp(this.#deadlineError()));
    }
    const abort = () => giveUp(new EtcdError(GrpcCode.Canceled, "context canceled"));
    signal?.addEventListener("abort", abort);
    waiter.forgetSignal = () => signal?.removeEventListener("abort", abort);
    for (const connection of this.#connections) connection.open();
  }

  #deadlineError(): EtcdError {
    const failure = this.#lastFailure();
    const text = failure === "" ? "context deadline exceeded" : `latest balancer error: ${failure}`;
    return new EtcdError(GrpcCode.DeadlineExceeded, text);
  }

  #lastFailure(): string {
    for (const connection of this.#connections) {
      if (connection.lastFailure !== "") return connection.lastFailure;
    }
    return this.#parseFailure;
  }

  #nextReady(): Connection | null {
    const count = this.#connections.length;
    for (let i = 0; i < count; i++) {
      const connection = this.#connections[(this.#next + i) % count]!;
      if (connection.state === "ready") {
        this.#next = (this.#next + i + 1) % count;
        return connection;
      }
    }
    return null;
  }

  #changed(connection: Connection): void {
    if (this.#waiters.size === 0) return;
    if (connection.state === "idle") connection.open();
    else if (connection.state === "ready") {
      for (const waiter of [...this.#waiters]) {
        const ready = this.#nextReady();
        if (ready === null) return;
        this.#waiters.delete(waiter);
        settle(waiter);
        waiter.resolve(ready);
      }
    }
  }

  close(): void {
    this.#closed = true;
    for (const waiter of this.#waiters) {
      settle(waiter);
      waiter.reject(closedError());
    }
    this.#waiters.clear();
    for (const connection of this.#connections) connection.close();
  }
}

function closedError(): EtcdError {
  return new EtcdError(GrpcCode.Canceled, "grpc: the client connection is closing");
}
