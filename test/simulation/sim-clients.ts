/**
 * Clients: each asks one thing after the other of members of its choice and tells the recorder what it
 * learned. Nothing is ever asked a second time: after an unknown outcome the client goes on as a new one.
 */
import type { SeededRandom } from "../disk/seeded-random.ts";
import type { KvRequest, KvResponse } from "./checkers/kv-operations.ts";
import { saysChanged } from "./checkers/kv-operations.ts";
import { ClientCall } from "./client-call.ts";
import type { LeaseOracle } from "./lease-oracle.ts";
import type { Recorder } from "./recorder.ts";
import type { RequestMaker } from "./request-maker.ts";
import type { SimCluster } from "./sim-cluster.ts";
import type { SimMember } from "./sim-member.ts";
import type { SimWorld } from "./sim-world.ts";
import { callMember, outcomeOfError, responseOf } from "./wire.ts";

export interface ClientOptions {
  readonly thinkMsMean: number;
  readonly timeoutMs: number;
  /** Chance to stay with the same member. */
  readonly loyalty: number;
}

/** The way between a client and a member, up to so long. */
const WAY_MS_MAX = 2;

export class SimClient {
  readonly #world: SimWorld;
  readonly #cluster: SimCluster;
  readonly #recorder: Recorder;
  readonly #leases: LeaseOracle;
  readonly #maker: RequestMaker;
  readonly #random: SeededRandom;
  readonly #options: ClientOptions;
  #client: number;
  #member: SimMember | null = null;
  #isStopped = false;

  constructor(
    parts: {
      world: SimWorld;
      cluster: SimCluster;
      recorder: Recorder;
      leases: LeaseOracle;
      maker: RequestMaker;
    },
    options: ClientOptions,
    name: string,
  ) {
    this.#world = parts.world;
    this.#cluster = parts.cluster;
    this.#recorder = parts.recorder;
    this.#leases = parts.leases;
    this.#maker = parts.maker;
    this.#random = parts.world.random(`client ${name}`);
    this.#options = options;
    this.#client = parts.recorder.newClient();
  }

  start(): void {
    const { thinkMsMean } = this.#options;
    const delayMs = -thinkMsMean * Math.log(1 - this.#random.next());
    this.#world.after(Math.min(delayMs, 20 * thinkMsMean), () => this.#ask());
  }

  stop(): void {
    this.#isStopped = true;
  }

  #ask(): void {
    if (this.#isStopped) return;
    const members = this.#cluster.serving();
    if (this.#member === null || !this.#random.chance(this.#options.loyalty)) {
      this.#member = members[this.#random.below(members.length)] ?? null;
    }
    const member = this.#member;
    if (member?.services == null) {
      this.#member = null;
      this.start();
      return;
    }
    const renewal = this.#maker.renewal(this.#random);
    if (renewal !== null) {
      this.#leases.renew(member, renewal, this.#options.timeoutMs, () => this.start());
      return;
    }
    this.#send(member, this.#maker.next(this.#random, member));
  }

  #send(member: SimMember, request: KvRequest): void {
    const client = this.#client;
    const calledMs = this.#world.nowMs;
    let isOver = false;
    const give = (answer: KvResponse | null) => {
      isOver = true;
      if (answer !== null) this.#maker.learn(request, answer);
      this.start();
    };
    const call = new ClientCall((response, error) => {
      this.#world.after(this.#random.next() * WAY_MS_MAX, () => {
        if (isOver) return;
        const { nowMs } = this.#world;
        if (error !== null) {
          const outcome = outcomeOfError(error, nowMs);
          this.#note(request, error.message);
          this.#recorder.record(client, request, calledMs, outcome);
          if (outcome.kind === "unknown") this.#client = this.#recorder.newClient();
          if (outcome.kind !== "ok" || request.kind !== "range") this.#member = null;
          give(null);
          return;
        }
        const output = responseOf(request, response!);
        this.#note(request, `ok ${"revision" in output ? output.revision : ""}`);
        if (saysChanged(output)) this.#recorder.acknowledgedWrites++;
        this.#recorder.record(client, request, calledMs, { kind: "ok", output, returnTime: nowMs });
        this.#leases.answered(request, output, calledMs);
        give(output);
      });
    });
    const ttlSeconds = this.#leases.asked(request, calledMs);
    const { process } = member;
    process.input(this.#random.next() * WAY_MS_MAX, () => {
      const { services } = member;
      if (services !== null) callMember(services, request, ttlSeconds, call as never);
    });
    this.#world.after(this.#options.timeoutMs, () => {
      if (isOver) return;
      this.#note(request, "no answer in time");
      process.input(0, () => call.abort());
      this.#recorder.record(client, request, calledMs, { kind: "unknown" });
      this.#client = this.#recorder.newClient();
      this.#member = null;
      give(null);
    });
  }

  #note(request: KvRequest, what: string): void {
    const key = "key" in request ? request.key : "";
    this.#world.note(`client ${this.#client} ${request.kind} ${key}: ${what}`);
  }
}
