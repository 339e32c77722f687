/** A listener with a few services whose behaviour tests control, and small gRPC clients to call them. */
import type * as http2 from "node:http2";
import {
  decodeRangeResponse,
  EtcdError,
  encodeRangeRequest,
  METHODS,
  ProtoWriter,
  type RangeRequest,
  type RangeResponseInit,
  type RequestStream,
  type StreamCall,
  type UnaryCall,
  type WatchRequest,
  type WatchResponseInit,
} from "../src/api/index.ts";
import {
  bindMethods,
  GrpcServer,
  HealthGrpcService,
  inflateGzip,
  Listener,
  type ListenerOptions,
} from "../src/http/index.ts";
import { BunClock } from "../src/io/bun/index.ts";
import { silentLogger } from "../src/io/index.ts";

type Handlers = {
  range?: (request: RangeRequest, call: UnaryCall<RangeResponseInit>) => void;
  rangeStream?: (
    request: RangeRequest,
    call: StreamCall<{ range_response: RangeResponseInit }>,
  ) => void;
  watch?: (requests: RequestStream<WatchRequest>, call: StreamCall<WatchResponseInit>) => void;
};

export interface Fixture {
  readonly listener: Listener;
  readonly grpc: GrpcServer;
  readonly port: number;
  readonly health: HealthGrpcService;
  serving: boolean;
}

/** Echoes a range's key as the value of its one answer, unless `handlers` say otherwise. */
export async function startFixture(
  handlers: Handlers = {},
  options: Partial<ListenerOptions> & { messageBytesMax?: number } = {},
): Promise<Fixture> {
  const clock = new BunClock();
  const state = { serving: true };
  const health = new HealthGrpcService(
    () => state.serving,
    () => null,
  );
  const range =
    handlers.range ??
    ((request, call) => {
      if (request.key.length === 0) call.fail(new EtcdError(3, "etcdserver: key is not provided"));
      else call.succeed({ kvs: [{ key: request.key, value: request.key }], count: 1 });
    });
  const methods = bindMethods(METHODS, {
    "etcdserverpb.KV": { range, rangeStream: handlers.rangeStream },
    "etcdserverpb.Watch": { watch: handlers.watch },
  });
  const grpc = new GrpcServer({
    clock,
    methods: [...methods, ...health.methods()],
    inflate: inflateGzip,
    messageBytesMax: options.messageBytesMax,
  });
  const listener = new Listener({
    clock,
    logger: silentLogger,
    url: "http://127.0.0.1:0",
    grpc,
    fetch: () => new Response("not found", { status: 404 }),
    ...options,
  });
  await listener.start();
  const { address } = listener;
  return {
    listener,
    grpc,
    port: "port" in address ? address.port : 0,
    health,
    get serving() {
      return state.serving;
    },
    set serving(value) {
      state.serving = value;
    },
  };
}

export function envelope(message: Uint8Array, flag = 0): Buffer {
  const head = Buffer.alloc(5);
  head[0] = flag;
  head.writeUInt32BE(message.length, 1);
  return Buffer.concat([head, message]);
}

export function rangeMessage(key: string | Uint8Array): Uint8Array {
  const writer = new ProtoWriter();
  encodeRangeRequest(writer, { key: typeof key === "string" ? Buffer.from(key) : key });
  return writer.finish();
}

export interface Reply {
  httpStatus: number;
  code: string;
  message: string;
  contentType: string;
  body: Buffer;
  rstCode: number;
}

/** Calls by node:http2 with raw body parts. `end` false leaves the client's half open. */
export function rawCall(
  session: http2.ClientHttp2Session,
  path: string,
  parts: readonly Uint8Array[],
  headers: http2.OutgoingHttpHeaders = {},
  end = true,
): Promise<Reply> {
  return new Promise((resolve, reject) => {
    const stream = session.request({
      ":method": "POST",
      ":path": path,
      "content-type": "application/grpc",
      te: "trailers",
      ...headers,
    });
    const body: Buffer[] = [];
    let head: http2.IncomingHttpHeaders & http2.IncomingHttpStatusHeader = {};
    let trailers: http2.IncomingHttpHeaders = {};
    stream.on("response", (received) => {
      head = received;
    });
    stream.on("trailers", (received) => {
      trailers = received;
    });
    stream.on("data", (chunk: Buffer) => body.push(chunk));
    stream.on("error", reject);
    stream.on("close", () =>
      resolve({
        httpStatus: Number(head[":status"]),
        code: String(trailers["grpc-status"] ?? head["grpc-status"]),
        message: String(trailers["grpc-message"] ?? head["grpc-message"]),
        contentType: String(head["content-type"]),
        body: Buffer.concat(body),
        rstCode: stream.rstCode ?? 0,
      }),
    );
    for (const part of parts) stream.write(part);
    if (end) stream.end();
  });
}

/** The value of the first pair of a RangeResponse in an enveloped body. */
export function firstValue(body: Buffer): Buffer {
  const response = decodeRangeResponse(body, 5, 5 + body.readUInt32BE(1));
  return Buffer.from(response.kvs[0]!.value);
}

export function until(condition: () => boolean, timeoutMs = 5000): Promise<void> {
  return new Promise((resolve, reject) => {
    const endMs = performance.now() + timeoutMs;
    const poll = (): void => {
      if (condition()) resolve();
      else if (performance.now() > endMs) reject(new Error("condition did not come true"));
      else setTimeout(poll, 1);
    };
    poll();
  });
}
