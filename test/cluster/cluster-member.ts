// One member of a cluster of real processes: its ports, its directory, its process, and what can be done to it.
// Made by ClusterProcesses, which knows the others.
//
// Invariants: a signal goes to the process this object started, by its id; every wait ends by a condition or by its
// time limit; the log of all runs of the member is one file beside its data.

import { closeSync, existsSync, openSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { join } from "node:path";
import { GrpcClient, method } from "../differential/grpc-client.ts";
import type { JsonObject } from "../differential/plain.ts";

const logTailCharacters = 3000;
const statusMilliseconds = 1000;

export interface MemberPlace {
  readonly name: string;
  readonly directory: string;
  readonly clientPort: number;
  readonly peerPort: number;
  /** What the others dial: the proxy's port, or the peer port itself. */
  readonly advertisedPort: number;
}

export interface MemberStatus {
  readonly memberId: string;
  readonly leaderId: string;
  readonly term: number;
  readonly revision: number;
  readonly appliedIndex: number;
}

const running = new Set<ReturnType<typeof Bun.spawn>>();
process.on("exit", () => {
  for (const child of running) child.kill("SIGKILL");
});

export class ClusterMember {
  readonly place: MemberPlace;
  readonly #command: readonly string[];
  #child: ReturnType<typeof Bun.spawn> | null = null;
  #paused = false;
  #client: GrpcClient | null = null;

  constructor(place: MemberPlace, command: readonly string[]) {
    this.place = place;
    this.#command = command;
  }

  get name(): string {
    return this.place.name;
  }

  get endpoint(): string {
    return `127.0.0.1:${this.place.clientPort}`;
  }

  get advertisedPeerUrl(): string {
    return `http://127.0.0.1:${this.place.advertisedPort}`;
  }

  get dataDirectory(): string {
    return join(this.place.directory, "data");
  }

  get logPath(): string {
    return join(this.place.directory, "server.log");
  }

  /** null while no process runs. */
  get pid(): number | null {
    const child = this.#child;
    return child === null || child.exitCode !== null || child.signalCode !== null
      ? null
      : child.pid;
  }

  get isRunning(): boolean {
    return this.pid !== null;
  }

  get isPaused(): boolean {
    return this.#paused;
  }

  /** Of the last process: its code, or null with the signal's name. */
  get ended(): { code: number | null; signal: string | number | null } | null {
    const child = this.#child;
    if (child === null || this.isRunning) return null;
    return { code: child.exitCode, signal: child.signalCode };
  }

  /** For calls of tests and faults, never for recorded load. */
  get client(): GrpcClient {
    this.#client ??= memberClient(this.endpoint);
    return this.#client;
  }

  spawn(flags: readonly string[]): void {
    if (this.isRunning) throw new Error(`${this.name} runs already`);
    const { clientPort, peerPort, directory } = this.place;
    const clientUrl = `http://127.0.0.1:${clientPort}`;
    const log = openSync(this.logPath, "a");
    this.#child = Bun.spawn({
      cmd: [
        ...this.#command,
        ...["--name", this.name, "--data-dir", this.dataDirectory],
        ...["--listen-client-urls", clientUrl, "--advertise-client-urls", clientUrl],
        ...["--listen-peer-urls", `http://127.0.0.1:${peerPort}`],
        ...["--initial-advertise-peer-urls", this.advertisedPeerUrl],
        ...flags,
      ],
      cwd: directory,
      env: { PATH: process.env.PATH ?? "" },
      stdin: "ignore",
      stdout: log,
      stderr: log,
    });
    closeSync(log);
    const child = this.#child;
    running.add(child);
    child.exited.then(() => running.delete(child));
    this.#paused = false;
  }

  async kill(): Promise<void> {
    await this.#end("SIGKILL");
  }

  /** SIGTERM, and SIGKILL when that takes too long: false then. */
  async terminate(limitMs = 15_000): Promise<boolean> {
    this.resume();
    const timer = setTimeout(() => this.#child?.kill("SIGKILL"), limitMs);
    await this.#end("SIGTERM");
    clearTimeout(timer);
    return this.#child?.signalCode !== "SIGKILL";
  }

  pause(): void {
    if (!this.isRunning) return;
    this.#child?.kill("SIGSTOP");
    this.#paused = true;
  }

  resume(): void {
    if (this.isRunning) this.#child?.kill("SIGCONT");
    this.#paused = false;
  }

  /** Resolves when the process has ended by itself; false after the limit. */
  async waitForEnd(limitMs: number): Promise<boolean> {
    if (this.#child === null) return true;
    return await Promise.race([
      this.#child.exited.then(() => true),
      Bun.sleep(limitMs).then(() => false),
    ]);
  }

  wipe(): void {
    if (this.isRunning) throw new Error(`${this.name} runs`);
    if (!existsSync(this.dataDirectory)) return;
    // The directory itself may be where a disk is mounted.
    for (const name of readdirSync(this.dataDirectory)) {
      rmSync(join(this.dataDirectory, name), { recursive: true, force: true });
    }
  }

  async isHealthy(): Promise<boolean> {
    if (!this.isRunning || this.#paused) return false;
    try {
      const answer = await fetch(`http://${this.endpoint}/health`, {
        signal: AbortSignal.timeout(1500),
        keepalive: false,
      });
      return answer.status === 200 && (await answer.text()).includes('"health":"true"');
    } catch {
      return false;
    }
  }

  /** null when it does not answer. */
  async status(): Promise<MemberStatus | null> {
    if (!this.isRunning || this.#paused) return null;
    const outcome = await this.client.unary(
      method("Maintenance", "Status"),
      {},
      { timeoutMilliseconds: statusMilliseconds },
    );
    if ("error" in outcome) return null;
    const answer = outcome.ok as JsonObject;
    const header = answer.header as JsonObject;
    return {
      memberId: String(header.member_id),
      leaderId: String(answer.leader ?? "0"),
      term: Number(answer.raftTerm ?? 0),
      revision: Number(header.revision ?? 0),
      appliedIndex: Number(answer.raftAppliedIndex ?? 0),
    };
  }

  log(): string {
    return existsSync(this.logPath) ? readFileSync(this.logPath, "utf8") : "";
  }

  logTail(): string {
    return `--- ${this.name}, ${JSON.stringify(this.ended)}\n${this.log().slice(-logTailCharacters)}`;
  }

  close(): void {
    this.#client?.close();
    this.#client = null;
  }

  async #end(signal: NodeJS.Signals): Promise<void> {
    const child = this.#child;
    if (child === null) return;
    if (this.isRunning) child.kill(signal);
    await child.exited;
    this.#paused = false;
  }
}

/** A client that comes back soon after its member does. */
export function memberClient(endpoint: string): GrpcClient {
  return new GrpcClient(endpoint, undefined, {
    "grpc.initial_reconnect_backoff_ms": 100,
    "grpc.min_reconnect_backoff_ms": 100,
    "grpc.max_reconnect_backoff_ms": 500,
    "grpc.enable_retries": 0,
  });
}
