/**
 * Leases as clients may count on them: from the moment a client asked for the grant or the renewal that was
 * answered, the lease lives for its whole time to live, whatever happens to leaders and clocks. A member that
 * revokes one earlier, without a client's wish, breaks the promise.
 */
import type { LeaseKeepAliveRequest, LeaseKeepAliveResponseInit } from "../../src/api/index.ts";
import type { KvRequest, KvResponse } from "./checkers/kv-operations.ts";
import { CLIENT_CONTEXT } from "./client-call.ts";
import type { Recorder } from "./recorder.ts";
import type { SimMember } from "./sim-member.ts";
import type { SimWorld } from "./sim-world.ts";

interface KnownLease {
  ttlSeconds: number;
  /** No member may take it before; world time. */
  aliveUntilMs: number;
  isRevokeAsked: boolean;
  isGone: boolean;
}

/** Rounding and the way from a decision to its application. */
const SLACK_MS = 5;

export class LeaseOracle {
  readonly #world: SimWorld;
  readonly #recorder: Recorder;
  /** How much faster than the world's a member's clock may run. */
  readonly #clockDriftMax: number;
  readonly #ttlSecondsMax: number;
  readonly #leases = new Map<bigint, KnownLease>();
  readonly onGone: (lease: bigint) => void;
  renewals = 0;
  expiries = 0;

  constructor(
    world: SimWorld,
    recorder: Recorder,
    options: {
      clockDriftMax: number;
      ttlSecondsMax: number;
      onGone: (lease: bigint) => void;
    },
  ) {
    this.#world = world;
    this.#recorder = recorder;
    this.#clockDriftMax = options.clockDriftMax;
    this.#ttlSecondsMax = options.ttlSecondsMax;
    this.onGone = options.onGone;
  }

  /** A request leaves a client; the time to live that a grant asks for. */
  asked(request: KvRequest, calledMs: number): number {
    if (request.kind === "lease-revoke") {
      const lease = this.#leases.get(request.lease);
      if (lease !== undefined) lease.isRevokeAsked = true;
    }
    if (request.kind !== "lease-grant") return 0;
    const ttlSeconds = 1 + this.#world.random("leases").below(this.#ttlSecondsMax);
    const aliveUntilMs = Number.NEGATIVE_INFINITY;
    this.#leases.set(request.lease, {
      ttlSeconds,
      aliveUntilMs,
      isRevokeAsked: false,
      isGone: false,
    });
    // It may expire at any time from now on: a revocation that nobody asks for.
    const expiry = { kind: "lease-revoke", lease: request.lease } as const;
    this.#recorder.record(this.#recorder.newClient(), expiry, calledMs, { kind: "unknown" });
    return ttlSeconds;
  }

  answered(request: KvRequest, answer: KvResponse, calledMs: number): void {
    if (request.kind !== "lease-grant" || answer.kind !== "lease-grant") return;
    const lease = this.#leases.get(request.lease)!;
    this.#extend(lease, calledMs, lease.ttlSeconds);
  }

  /** Asks a member to renew; `done` whether it did or not. */
  renew(member: SimMember, id: bigint, timeoutMs: number, done: () => void): void {
    const calledMs = this.#world.nowMs;
    let isOver = false;
    const finish = (ttlSeconds: number) => {
      if (isOver) return;
      isOver = true;
      this.#world.note(`lease ${id} renewed for ${ttlSeconds} by ${member.name}`);
      const lease = this.#leases.get(id)!;
      if (ttlSeconds > 0) {
        this.renewals++;
        this.#extend(lease, calledMs, ttlSeconds);
      } else if (ttlSeconds === 0) {
        this.onGone(id);
      }
      done();
    };
    const { process } = member;
    process.input(1, () => {
      const services = member.services;
      if (services === null) return;
      let answered = false;
      const answer = (ttlSeconds: number) => {
        if (answered) return;
        answered = true;
        this.#world.after(1, () => finish(ttlSeconds));
      };
      services.lease.leaseKeepAlive(oneRequest({ ID: id }), {
        context: CLIENT_CONTEXT,
        aborted: false,
        queuedBytes: 0,
        send: (response: LeaseKeepAliveResponseInit) => {
          answer(Number(response.TTL ?? 0));
          return true;
        },
        sendEncoded: () => true,
        end: () => answer(-1),
        fail: () => answer(-1),
        onDrain() {},
        onAbort() {},
      });
    });
    this.#world.after(timeoutMs, () => finish(-1));
  }

  /** A member takes a lease away, or forgets it. */
  revoked(member: string, id: bigint): void {
    const lease = this.#leases.get(id);
    if (lease === undefined) return;
    if (!lease.isGone) {
      lease.isGone = true;
      if (!lease.isRevokeAsked) this.expiries++;
      this.onGone(id);
    }
    if (lease.isRevokeAsked) return;
    const earlyMs = lease.aliveUntilMs - SLACK_MS - this.#world.nowMs;
    if (earlyMs <= 0) return;
    const message = `${member} revokes lease ${id} ${earlyMs.toFixed(0)} ms before its time`;
    this.#recorder.report({ rule: "lease-early", message });
  }

  #extend(lease: KnownLease, calledMs: number, ttlSeconds: number): void {
    const aliveMs = (ttlSeconds * 1000) / (1 + this.#clockDriftMax);
    // A renewal that was answered after another member took the lease is no promise to anybody.
    if (!lease.isGone) lease.aliveUntilMs = Math.max(lease.aliveUntilMs, calledMs + aliveMs);
  }
}

function oneRequest(request: LeaseKeepAliveRequest) {
  let end = () => {};
  return {
    onMessage(listener: (message: LeaseKeepAliveRequest) => void) {
      listener({ ...request });
      end();
    },
    onEnd(listener: () => void) {
      end = listener;
    },
    pause() {},
    resume() {},
  };
}
