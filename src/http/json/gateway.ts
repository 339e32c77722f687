/**
 * The JSON gateway: every route of ROUTES joined with its method's row and with the service that implements it.
 * A route whose service or method this member does not have answers what a gRPC server answers for it. Called by
 * hono-app.ts, one handler per route.
 */
import {
  type CallContext,
  EtcdError,
  errContextDeadlineExceeded,
  GrpcCode,
  METHODS,
  type MethodRow,
  ProtoWriter,
  type RequestStream,
  type StreamCall,
  type UnaryCall,
} from "../../api/index.ts";
import { decodeJson, ROUTES } from "../../api/json/index.ts";
import type { Clock } from "../../io/index.ts";
import { type ConnectionInfo, callContext } from "./call-context.ts";
import { type CallCounters, MethodCounter } from "./call-counters.ts";
import { errorResponse } from "./http-status.ts";
import { readBody } from "./request-body.ts";
import { JsonRequestStream } from "./request-stream.ts";
import { JsonStreamCall, type StreamLimits } from "./stream-call.ts";
import { JsonUnaryCall } from "./unary-call.ts";

export interface GatewayOptions {
  /** What implements each gRPC service, by its name such as etcdserverpb.KV; methods in lower camel case. */
  readonly implementations: Readonly<Record<string, object | undefined>>;
  readonly clock: Clock;
  /** The largest message, as protobuf; bodies may have four times as much. */
  readonly messageBytesMax: number;
  readonly streamLimits: StreamLimits;
  readonly counters: CallCounters | null;
}

export type GatewayHandler = (request: Request, info: ConnectionInfo) => Promise<Response>;

/** Base64, names, white space: no honest body is longer than its message by more. */
const BODY_BYTES_FACTOR = 4;

type Handler = (requests: never, call: never) => void;

/** All routes with their handlers. */
export function gatewayRoutes(options: GatewayOptions): [path: string, handler: GatewayHandler][] {
  const rows = new Map(METHODS.map((row) => [row.path, row]));
  return ROUTES.map(([path, method]) => [path, routeHandler(rows.get(method)!, options)]);
}

function routeHandler(row: MethodRow, options: GatewayOptions): GatewayHandler {
  const implementation = options.implementations[row.service] as
    | Record<string, unknown>
    | undefined;
  const name = row.name[0]!.toLowerCase() + row.name.slice(1);
  const found = implementation?.[name];
  const handler = typeof found === "function" ? (found.bind(implementation) as Handler) : null;
  const missing =
    implementation === undefined
      ? `unknown service ${row.service}`
      : `unknown method ${row.name} for service ${row.service}`;
  const unimplemented = new EtcdError(GrpcCode.Unimplemented, missing);
  const method = new GatewayMethod(row, handler ?? unimplemented, options);
  return (request, info) => method.handle(request, info);
}

class GatewayMethod {
  readonly #row: MethodRow;
  readonly #handler: Handler | EtcdError;
  readonly #options: GatewayOptions;
  readonly #counter: MethodCounter;
  readonly #bodyBytesMax: number;

  constructor(row: MethodRow, handler: Handler | EtcdError, options: GatewayOptions) {
    this.#row = row;
    this.#handler = handler;
    this.#options = options;
    this.#counter = new MethodCounter(options.counters, row.path);
    this.#bodyBytesMax = options.messageBytesMax * BODY_BYTES_FACTOR;
  }

  async handle(request: Request, info: ConnectionInfo): Promise<Response> {
    const { clock } = this.#options;
    const context = callContext(request.headers, info, () => clock.monotonicMs());
    if (context instanceof EtcdError) return errorResponse(context);
    if (this.#row.clientStream) return this.#startStream(request, context);
    const body = await readBody(request, this.#bodyBytesMax);
    if (typeof body === "number") return errorResponse(this.#tooLarge(body));
    const decoded = decodeJson(this.#row.requestType, body);
    if (!decoded.ok) {
      return errorResponse(new EtcdError(GrpcCode.InvalidArgument, decoded.error));
    }
    if (context.deadlineMs <= clock.monotonicMs()) {
      return errorResponse(errContextDeadlineExceeded);
    }
    const { message } = decoded;
    if (body.length > this.#options.messageBytesMax) {
      const bytes = this.#messageBytes(message);
      if (bytes > this.#options.messageBytesMax) return errorResponse(this.#tooLarge(bytes));
    }
    return this.#call(request, context, message);
  }

  #call(request: Request, context: CallContext, message: unknown): Response | Promise<Response> {
    const handler = this.#handler;
    if (handler instanceof EtcdError) return errorResponse(handler);
    return new Promise((respond) => {
      this.#counter.start();
      this.#counter.receive();
      if (this.#row.serverStream) {
        const call = this.#streamCall(context, respond);
        (handler as (request: unknown, call: StreamCall<unknown>) => void)(message, call);
        call.watch(this.#options.clock, request.signal);
        return;
      }
      const call = new JsonUnaryCall(context, this.#row.responseType, this.#counter, respond);
      (handler as (request: unknown, call: UnaryCall<unknown>) => void)(message, call);
      call.watch(this.#options.clock, request.signal);
    });
  }

  /** A call whose requests come one after the other: it begins before any of them is there. */
  #startStream(request: Request, context: CallContext): Response | Promise<Response> {
    const handler = this.#handler;
    if (handler instanceof EtcdError) return errorResponse(handler);
    if (context.deadlineMs <= this.#options.clock.monotonicMs()) {
      return errorResponse(errContextDeadlineExceeded);
    }
    return new Promise((respond) => {
      const { requestType } = this.#row;
      const requests = new JsonRequestStream(requestType, this.#bodyBytesMax, this.#counter);
      const call = this.#streamCall(context, respond, () => requests.stop());
      this.#counter.start();
      (handler as (requests: RequestStream<unknown>, call: StreamCall<unknown>) => void)(
        requests,
        call,
      );
      call.watch(this.#options.clock, request.signal);
      void requests.run(request.body);
    });
  }

  #streamCall(
    context: CallContext,
    respond: (response: Response) => void,
    onEnded: () => void = () => {},
  ): JsonStreamCall {
    const { streamLimits } = this.#options;
    return new JsonStreamCall(context, this.#row, streamLimits, this.#counter, respond, onEnded);
  }

  #messageBytes(message: unknown): number {
    const writer = new ProtoWriter();
    this.#row.encodeRequest(writer, message as never);
    return writer.position;
  }

  #tooLarge(bytes: number): EtcdError {
    const limit = this.#options.messageBytesMax;
    return new EtcdError(
      GrpcCode.ResourceExhausted,
      `grpc: received message larger than max (${bytes} vs. ${limit})`,
    );
  }
}
