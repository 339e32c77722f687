import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import * as http2 from "node:http2";
import {
  envelope,
  type Fixture,
  rangeMessage,
  rawCall,
  startFixture,
  until,
} from "../../../test/grpc-fixture.ts";
import {
  type CallContext,
  encodeWatchRequest,
  ProtoWriter,
  type RangeResponseInit,
  type UnaryCall,
} from "../../api/index.ts";
import { CODE_COUNT } from "./counters.ts";

const RANGE = "/etcdserverpb.KV/Range";

describe("calls under control", () => {
  let session: http2.ClientHttp2Session;
  let fixture: Fixture;
  const unary: UnaryCall<RangeResponseInit>[] = [];
  const contexts: CallContext[] = [];
  const aborts: string[] = [];
  beforeAll(async () => {
    fixture = await startFixture({
      range: (request, call) => {
        unary.push(call);
        contexts.push(call.context);
        call.onAbort(() => aborts.push(Buffer.from(request.key).toString()));
      },
    });
    session = http2.connect(`http://127.0.0.1:${fixture.port}`);
  });
  afterAll(async () => {
    session.destroy();
    await fixture.listener.stop(0);
  });

  test("the deadline answers 4, aborts the call, and a late answer does nothing", async () => {
    const reply = await rawCall(session, RANGE, [envelope(rangeMessage("late"))], {
      "grpc-timeout": "30m",
    });
    expect([reply.code, reply.message]).toEqual(["4", "context deadline exceeded"]);
    expect(aborts).toContain("late");
    const call = unary.at(-1)!;
    expect(call.aborted).toBe(true);
    expect(call.context.deadlineMs).toBeLessThan(performance.now());
    call.succeed({});
  });

  test("the client's cancel aborts the call", async () => {
    const stream = session.request({
      ":method": "POST",
      ":path": RANGE,
      "content-type": "application/grpc",
    });
    const before = unary.length;
    stream.end(envelope(rangeMessage("cancelled")));
    await until(() => unary.length > before);
    stream.close(http2.constants.NGHTTP2_CANCEL);
    await until(() => aborts.includes("cancelled"));
    expect(unary.at(-1)!.aborted).toBe(true);
  });

  test("metadata: token before authorization, leader, version, gateway", async () => {
    const ask = async (headers: http2.OutgoingHttpHeaders): Promise<CallContext> => {
      const before = unary.length;
      const reply = rawCall(session, RANGE, [envelope(rangeMessage("k"))], headers);
      await until(() => unary.length > before);
      unary.at(-1)!.succeed({});
      await reply;
      return contexts.at(-1)!;
    };
    const plain = await ask({});
    expect(plain).toMatchObject({
      token: null,
      requireLeader: false,
      clientApiVersion: "unknown",
      peerName: "",
      viaGateway: false,
      deadlineMs: Number.POSITIVE_INFINITY,
    });
    expect(plain.peerAddress).toMatch(/^127\.0\.0\.1:\d+$/);
    expect(await ask({ authorization: "b" })).toMatchObject({ token: "b" });
    const full = {
      authorization: "b",
      token: "a",
      hasleader: "true",
      "client-api-version": "3.5.0",
      "grpcgateway-accept": "x",
      "grpc-timeout": "10S",
    };
    const context = await ask(full);
    expect(context).toMatchObject({
      token: "a",
      requireLeader: true,
      clientApiVersion: "3.5.0",
      viaGateway: true,
    });
    expect(context.deadlineMs).toBeLessThan(performance.now() + 10_000);
    expect(context.deadlineMs).toBeGreaterThan(performance.now() + 5000);
  });

  test("counters", async () => {
    const { counters } = fixture.grpc;
    const index = counters.methods.findIndex((method) => method.path === RANGE);
    const before = [
      counters.started[index]!,
      counters.handled[index * CODE_COUNT]!,
      counters.messagesSent[index]!,
      counters.sentBytes,
    ];
    const count = unary.length;
    const reply = rawCall(session, RANGE, [envelope(rangeMessage("k"))]);
    await until(() => unary.length > count);
    unary.at(-1)!.succeed({ count: 3 });
    await reply;
    const after = [
      counters.started[index]!,
      counters.handled[index * CODE_COUNT]!,
      counters.messagesSent[index]!,
      counters.sentBytes,
    ];
    expect(after.map((value, i) => value - before[i]!)).toEqual([1, 1, 1, 2]);
    expect(counters.handled[index * CODE_COUNT + 4]).toBeGreaterThanOrEqual(1);
  });

  test("answering twice is a bug that is not hidden", async () => {
    const before = unary.length;
    const reply = rawCall(session, RANGE, [envelope(rangeMessage("k"))]);
    await until(() => unary.length > before);
    const call = unary.at(-1)!;
    call.succeed({});
    expect(() => call.succeed({})).toThrow("answered twice");
    await reply;
  });
});

test("a paused request stream stops the client at one stream window", async () => {
  let requests: { pause(): void; resume(): void } | null = null;
  let received = 0;
  const fixture = await startFixture({
    watch: (incoming, call) => {
      requests = incoming;
      incoming.onMessage(() => {
        received++;
        if (received === 1) incoming.pause();
      });
      incoming.onEnd(() => call.end());
    },
  });
  const { counters } = fixture.grpc;
  const session = http2.connect(`http://127.0.0.1:${fixture.port}`);
  const writer = new ProtoWriter();
  encodeWatchRequest(writer, { create_request: { key: new Uint8Array(1000) } });
  const message = envelope(writer.finish());
  const total = 3000;
  const stream = session.request({
    ":method": "POST",
    ":path": "/etcdserverpb.Watch/Watch",
    "content-type": "application/grpc",
  });
  stream.on("data", () => {});
  stream.end(Buffer.concat(Array.from({ length: total }, () => message)));
  await until(() => counters.receivedBytes > 1_000_000);
  // Another call on the same connection is not held up.
  const reply = await rawCall(session, RANGE, [envelope(rangeMessage("k"))]);
  expect(reply.code).toBe("0");
  expect(received).toBe(1);
  expect(counters.receivedBytes).toBeLessThan(1024 * 1024 + 1000);
  requests!.resume();
  await until(() => received === total);
  session.destroy();
  await fixture.listener.stop(0);
});

test("a malformed message on an open stream tells the service, whose later sends are dropped", async () => {
  const calls: { aborted: boolean; send(response: object): boolean }[] = [];
  let aborts = 0;
  const fixture = await startFixture({
    watch: (incoming, call) => {
      calls.push(call);
      call.onAbort(() => aborts++);
      incoming.onMessage(() => call.send({ created: true }));
    },
  });
  const session = http2.connect(`http://127.0.0.1:${fixture.port}`);
  const writer = new ProtoWriter();
  encodeWatchRequest(writer, { create_request: { key: new Uint8Array(1) } });
  const good = envelope(writer.finish());
  for (const bad of [
    envelope(new Uint8Array([0x0a, 0xff, 0xff])),
    Buffer.from([0, 0, 0, 0, 9, 1]),
  ]) {
    const before = aborts;
    const reply = await rawCall(session, "/etcdserverpb.Watch/Watch", [good, bad]);
    expect(reply.code).toBe("13");
    await until(() => aborts > before);
    const call = calls.at(-1)!;
    expect(call.aborted).toBe(true);
    expect(call.send({})).toBe(false);
  }
  session.destroy();
  await fixture.listener.stop(0);
});
