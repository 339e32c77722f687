import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { join } from "node:path";
import * as grpcJs from "@grpc/grpc-js";
import { loadSync } from "@grpc/proto-loader";
import { type Fixture, startFixture, until } from "../../../test/grpc-fixture.ts";
import { encodeWatchResponse, ProtoWriter, type StreamCall } from "../../api/index.ts";

describe("@grpc/grpc-js as the client", () => {
  const definition = grpcJs.loadPackageDefinition(
    loadSync(join(import.meta.dir, "../../api/proto/rpc.proto"), {
      keepCase: true,
      longs: Number,
      defaults: true,
    }),
  ) as unknown as { etcdserverpb: Record<string, grpcJs.ServiceClientConstructor> };
  let fixture: Fixture;
  let watchCall: StreamCall<object> | null = null;
  const watchKeys: string[] = [];
  const ended: string[] = [];
  let kv: grpcJs.Client & Record<string, CallableFunction>;
  let watch: grpcJs.Client & Record<string, CallableFunction>;
  beforeAll(async () => {
    fixture = await startFixture({
      rangeStream: (request, call) => {
        let left = 200;
        const more = (): void => {
          while (left > 0) {
            left--;
            if (
              !call.send({
                range_response: {
                  count: left,
                  kvs: [{ key: request.key, value: new Uint8Array(20_000) }],
                },
              })
            )
              break;
          }
          if (left === 0 && !call.aborted) {
            left = -1;
            call.end();
          }
        };
        call.onDrain(more);
        call.onAbort(() => ended.push("range stream"));
        more();
      },
      watch: (requests, call) => {
        watchCall = call;
        requests.onMessage((request) => {
          const create = request.create_request;
          watchKeys.push(Buffer.from(create!.key).toString());
          call.send({ watch_id: watchKeys.length, created: true });
        });
        requests.onEnd(() => call.end());
        call.onAbort(() => ended.push("watch"));
      },
    });
    const { KV, Watch } = definition.etcdserverpb;
    const address = `127.0.0.1:${fixture.port}`;
    const options = { "grpc.max_receive_message_length": -1 };
    kv = new KV!(address, grpcJs.credentials.createInsecure(), options) as unknown as typeof kv;
    watch = new Watch!(
      address,
      grpcJs.credentials.createInsecure(),
      options,
    ) as unknown as typeof watch;
  });
  afterAll(async () => {
    kv.close();
    watch.close();
    await fixture.listener.stop(0);
  });
  const call = (request: object, options: object = {}): Promise<{ kvs: { value: Buffer }[] }> =>
    new Promise((resolve, reject) => {
      kv.Range!(request, new grpcJs.Metadata(), options, (error: Error | null, reply: never) =>
        error ? reject(error) : resolve(reply),
      );
    });

  test("unary, errors, and gzip", async () => {
    expect((await call({ key: Buffer.from("abc") })).kvs[0]!.value.toString()).toBe("abc");
    // Not expect().rejects: it runs a nested event loop, in which grpc-js does not get its ticks.
    const error = await call({}).catch((reason: unknown) => reason);
    expect(error).toMatchObject({ code: 3, details: "etcdserver: key is not provided" });
    const big = Buffer.alloc(1_500_000, 9);
    expect((await call({ key: big })).kvs[0]!.value.equals(big)).toBe(true);
  });

  test("a server stream with back-pressure", async () => {
    const counts: number[] = [];
    const stream = kv.RangeStream!({ key: Buffer.from("k") }) as grpcJs.ClientReadableStream<{
      range_response: { count: number };
    }>;
    for await (const message of stream) counts.push(message.range_response.count);
    expect(counts).toEqual(Array.from({ length: 200 }, (_, i) => 199 - i));
  });

  test("a cancelled server stream aborts", async () => {
    const stream = kv.RangeStream!({
      key: Buffer.from("k"),
    }) as grpcJs.ClientReadableStream<object>;
    stream.on("error", () => {});
    stream.once("data", () => stream.cancel());
    const before = ended.length;
    await until(() => ended.length > before);
  });

  test("a bidirectional stream, shared messages, half-close", async () => {
    const stream = watch.Watch!() as grpcJs.ClientDuplexStream<object, { watch_id: number }>;
    const seen: number[] = [];
    stream.on("data", (message) => seen.push(Number(message.watch_id)));
    watchKeys.length = 0;
    for (const key of ["a", "b", "c"]) stream.write({ create_request: { key: Buffer.from(key) } });
    await until(() => seen.length === 3);
    expect(watchKeys).toEqual(["a", "b", "c"]);
    const writer = new ProtoWriter();
    encodeWatchResponse(writer, { watch_id: 77 });
    const shared = writer.finish();
    for (let i = 0; i < 10; i++) watchCall!.sendEncoded(shared);
    await until(() => seen.length === 13);
    expect(seen.at(-1)).toBe(77);
    const status = new Promise<grpcJs.StatusObject>((resolve) => stream.on("status", resolve));
    stream.end();
    expect((await status).code).toBe(0);
  });

  test("a stream's deadline", async () => {
    const stream = watch.Watch!(new grpcJs.Metadata(), {
      deadline: Date.now() + 50,
    }) as grpcJs.ClientDuplexStream<object, object>;
    stream.on("data", () => {});
    const error = await new Promise<grpcJs.ServiceError>((resolve) => stream.on("error", resolve));
    expect(error.code).toBe(4);
  });
});
