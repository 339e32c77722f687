/**
 * The gRPC server without its sockets: the listener gives it every stream whose content-type is gRPC's, it
 * finds the method and makes the call. One for all connections and listeners of a member.
 */
import { errRequestTooManyRequests } from "../../api/index.ts";
import type { Clock } from "../../io/index.ts";
import type { Http2Stream, RequestHead } from "../http2/index.ts";
import { type CallPlan, planCall, type Refusal } from "./call-plan.ts";
import { GrpcCounters } from "./counters.ts";
import { Deadlines } from "./deadlines.ts";
import { GrpcPeer } from "./grpc-peer.ts";
import type { Inflate } from "./message-assembler.ts";
import { type GrpcMethod, MethodTable } from "./method-table.ts";
import type { CallServer } from "./server-call.ts";
import { trailersOnly } from "./status.ts";
import { StreamServerCall } from "./stream-call.ts";
import { UnaryServerCall } from "./unary-call.ts";

export interface GrpcServerOptions {
  readonly clock: Clock;
  readonly methods: readonly GrpcMethod[];
  readonly inflate: Inflate;
  /** etcd: --max-request-bytes plus 512 KiB. */
  readonly messageBytesMax?: number;
  /** Half-received messages over all calls of one connection. */
  readonly partialBytesMax?: number;
  /** Told about every finished call. Costs two looks at the clock for each. */
  readonly onHandled?: (method: GrpcMethod, code: number, seconds: number) => void;
}

const DEFAULT_MESSAGE_BYTES_MAX = 2_097_152;
const DEFAULT_PARTIAL_BYTES_MAX = 128 * 1024 * 1024;

export class GrpcServer implements CallServer {
  readonly counters: GrpcCounters;
  readonly deadlines: Deadlines;
  readonly messageBytesMax: number;
  readonly inflate: Inflate;
  readonly onHandled: ((method: GrpcMethod, code: number, seconds: number) => void) | null;
  readonly #clock: Clock;
  readonly #table: MethodTable;
  readonly #partialBytesMax: number;

  constructor(options: GrpcServerOptions) {
    this.#clock = options.clock;
    this.#table = new MethodTable(options.methods);
    this.counters = new GrpcCounters(options.methods);
    this.deadlines = new Deadlines(options.clock);
    this.messageBytesMax = options.messageBytesMax ?? DEFAULT_MESSAGE_BYTES_MAX;
    this.#partialBytesMax = options.partialBytesMax ?? DEFAULT_PARTIAL_BYTES_MAX;
    this.inflate = options.inflate;
    this.onHandled = options.onHandled ?? null;
  }

  nowMs(): number {
    return this.#clock.monotonicMs();
  }

  /** One for each connection; goes with every call of it. */
  peer(name: string, address: string): GrpcPeer {
    return new GrpcPeer(name, address, this.#partialBytesMax);
  }

  /** Takes a request over. `peer` is the one of the stream's connection. */
  serve(stream: Http2Stream, head: RequestHead, peer: GrpcPeer): void {
    head.memo ??= planCall(head, this.#table, peer);
    const plan = head.memo as CallPlan | Refusal;
    if (plan.kind === "refusal") {
      const { httpStatus, contentType, code, message } = plan;
      stream.sendHeaders(trailersOnly(httpStatus, contentType, code, message), true);
      return;
    }
    if (!stream.connection.answers.allows(0)) {
      const { code, message } = errRequestTooManyRequests;
      stream.sendHeaders(trailersOnly(200, plan.contentType, code, message), true);
      return;
    }
    if (plan.entry.method.kind === "unary") {
      stream.consumer = new UnaryServerCall(stream, plan, this, peer);
      return;
    }
    const call = new StreamServerCall(stream, plan, this, peer);
    stream.consumer = call;
    call.start();
  }
}
