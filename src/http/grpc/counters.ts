/** Counts per method, as numbers in arrays: the metrics page gives them their labels (grpc_server_*). */
import { GRPC_CODE_NAMES } from "../../api/index.ts";
import type { GrpcMethod } from "./method-table.ts";

export const CODE_COUNT = GRPC_CODE_NAMES.length;

export class GrpcCounters {
  /** The methods that the arrays below are about, in their order. */
  readonly methods: readonly GrpcMethod[];
  readonly started: Float64Array;
  /** At method * CODE_COUNT + code. */
  readonly handled: Float64Array;
  readonly messagesReceived: Float64Array;
  readonly messagesSent: Float64Array;
  /** Bytes of messages, over all methods. */
  receivedBytes = 0;
  sentBytes = 0;

  constructor(methods: readonly GrpcMethod[]) {
    this.methods = methods;
    this.started = new Float64Array(methods.length);
    this.handled = new Float64Array(methods.length * CODE_COUNT);
    this.messagesReceived = new Float64Array(methods.length);
    this.messagesSent = new Float64Array(methods.length);
  }

  /** Counts a finished call; a code that gRPC does not know counts as Unknown. */
  finish(methodIndex: number, code: number): void {
    const known = code >= 0 && code < CODE_COUNT ? code : 2;
    this.handled[methodIndex * CODE_COUNT + known]!++;
  }
}
