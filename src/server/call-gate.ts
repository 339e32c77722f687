/**
 * What stands before every service (etcd's interceptors): a learner serves nothing but its status, serializable
 * ranges and snapshots; calls that say `hasleader` fail at once while no leader is known, and their streams end when
 * none was known for three election timeouts. Edges get the guarded services; the member itself uses the bare ones.
 */
import {
  type CallContext,
  type EtcdError,
  errNoLeader,
  errNotSupportedForLearner,
  METHODS,
  type MethodRow,
  type RangeRequest,
  type Services,
  type StreamCall,
  type UnaryCall,
} from "../api/index.ts";
import type { Counter, Labelled } from "../base/metrics.ts";
import type { Clock, Timer } from "../io/index.ts";
import { GuardedStream } from "./guarded-stream.ts";
import type { RaftView } from "./raft-view.ts";

export interface CallGateParts {
  readonly raft: RaftView;
  readonly isLearner: () => boolean;
  readonly clock: Clock;
  readonly electionTimeoutMs: number;
  /** By type and the version that clients name. */
  readonly clientRequests: Labelled<Counter>;
}

/** Streams cost more to open again than a call costs to repeat, so they live on for so long. */
const LEADERLESS_ELECTIONS_MAX = 3;

const VERSIONS_MAX = 1000;

type UnaryHandler = (request: unknown, call: UnaryCall<unknown>) => void;
type StreamHandler = (requests: unknown, call: StreamCall<unknown>) => void;

const NOTHING = (): boolean => false;
/** What a learner serves, by path. */
const SERVED_BY_LEARNERS: ReadonlyMap<string, (request: unknown) => boolean> = new Map([
  ["/etcdserverpb.Maintenance/Status", () => true],
  ["/etcdserverpb.Maintenance/Snapshot", () => true],
  ["/etcdserverpb.KV/Range", (request: unknown) => (request as RangeRequest).serializable],
]);

export class CallGate {
  readonly #parts: CallGateParts;
  /** Streams that asked to be ended without a leader. */
  readonly #streams = new Set<GuardedStream>();
  /** The counters of the versions that were seen, so that a call costs one look. */
  readonly #unaryCounters = new Map<string, Counter>();
  readonly #streamCounters = new Map<string, Counter>();
  #timer: Timer | null = null;

  constructor(parts: CallGateParts) {
    this.#parts = parts;
    parts.raft.onLeadership(({ leader }) => this.#watchLeader(leader));
  }

  /** The services as edges may call them. */
  guard(services: Services): Services {
    const guarded: Record<string, Record<string, unknown>> = {};
    for (const row of METHODS) {
      const key = row.service.split(".").at(-1)!.toLowerCase();
      const name = row.name[0]!.toLowerCase() + row.name.slice(1);
      const service = (services as unknown as Record<string, Record<string, unknown>>)[key];
      const handler = service?.[name];
      if (typeof handler !== "function") continue;
      guarded[key] ??= {};
      guarded[key][name] = this.#guardMethod(row, handler.bind(service));
    }
    return { ...services, ...guarded };
  }

  /** Why a call is not let in; for what is no service of the API, too. */
  refuse(context: CallContext): EtcdError | null {
    return this.#refuse(context, NOTHING, null);
  }

  stop(): void {
    this.#timer?.cancel();
    this.#timer = null;
  }

  #refuse(
    context: CallContext,
    isServedByLearners: (request: unknown) => boolean,
    request: unknown,
  ): EtcdError | null {
    const { raft, isLearner } = this.#parts;
    if (isLearner() && !isServedByLearners(request)) return errNotSupportedForLearner;
    if (context.requireLeader && raft.leader() === 0n) return errNoLeader;
    return null;
  }

  #count(type: string, counters: Map<string, Counter>, { clientApiVersion }: CallContext): void {
    let counter = counters.get(clientApiVersion);
    if (counter === undefined) {
      counter = this.#parts.clientRequests.with(type, clientApiVersion);
      // Versions come from clients; the family is bounded, and so is this.
      if (counters.size < VERSIONS_MAX) counters.set(clientApiVersion, counter);
    }
    counter.value++;
  }

  #guardMethod(
    row: MethodRow,
    handler: UnaryHandler | StreamHandler,
  ): UnaryHandler | StreamHandler {
    const served = SERVED_BY_LEARNERS.get(row.path) ?? NOTHING;
    if (!row.clientStream && !row.serverStream) {
      return (request: unknown, call: UnaryCall<unknown>) => {
        this.#count("unary", this.#unaryCounters, call.context);
        const refused = this.#refuse(call.context, served, request);
        if (refused === null) (handler as UnaryHandler)(request, call);
        else call.fail(refused);
      };
    }
    return (requests: unknown, call: StreamCall<unknown>) => {
      this.#count("stream", this.#streamCounters, call.context);
      const refused = this.#refuse(call.context, served, requests);
      if (refused !== null) call.fail(refused);
      else if (call.context.requireLeader)
        this.#startGuarded(handler as StreamHandler, requests, call);
      else (handler as StreamHandler)(requests, call);
    };
  }

  #startGuarded(handler: StreamHandler, requests: unknown, call: StreamCall<unknown>): void {
    const stream = new GuardedStream(call, () => this.#streams.delete(stream));
    this.#streams.add(stream);
    handler(requests, stream);
  }

  #watchLeader(leader: bigint): void {
    const { clock, electionTimeoutMs } = this.#parts;
    if (leader !== 0n) {
      this.stop();
      return;
    }
    this.#timer ??= clock.setTimer(LEADERLESS_ELECTIONS_MAX * electionTimeoutMs, () => {
      this.#timer = null;
      for (const stream of [...this.#streams]) stream.refuse(errNoLeader);
    });
  }
}
