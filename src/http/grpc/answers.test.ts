import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import * as http2 from "node:http2";
import { gzipSync } from "node:zlib";
import {
  envelope,
  type Fixture,
  firstValue,
  rangeMessage,
  rawCall,
  startFixture,
  until,
} from "../../../test/grpc-fixture.ts";

const RANGE = "/etcdserverpb.KV/Range";

describe("raw calls, answers as grpc-go's (observed with etcd 3.5)", () => {
  let fixture: Fixture;
  let session: http2.ClientHttp2Session;
  beforeAll(async () => {
    fixture = await startFixture({
      rangeStream: (_request, call) => call.end(),
      watch: (requests, call) => {
        requests.onMessage(() => {});
        requests.onEnd(() => call.end());
      },
    });
    session = http2.connect(`http://127.0.0.1:${fixture.port}`);
  });
  afterAll(async () => {
    session.destroy();
    await fixture.listener.stop(0);
  });
  const ok = [envelope(rangeMessage("k"))];
  const status = async (
    path: string,
    parts: readonly Uint8Array[],
    headers: http2.OutgoingHttpHeaders = {},
    end = true,
  ): Promise<[number, string, string]> => {
    const reply = await rawCall(session, path, parts, headers, end);
    return [reply.httpStatus, reply.code, reply.message];
  };

  const rows: [
    string,
    string,
    Uint8Array[],
    http2.OutgoingHttpHeaders,
    [number, string, string],
  ][] = [
    ["success", RANGE, ok, {}, [200, "0", ""]],
    ["unknown service", "/foo.Bar/Baz", ok, {}, [200, "12", "unknown service foo.Bar"]],
    [
      "unknown method",
      "/etcdserverpb.KV/Baz",
      ok,
      {},
      [200, "12", "unknown method Baz for service etcdserverpb.KV"],
    ],
    ["path without service", "/foo", ok, {}, [200, "12", 'malformed method name: "/foo"']],
    [
      "content type that only looks like gRPC",
      RANGE,
      ok,
      { "content-type": "application/grpcx" },
      [415, "3", 'invalid gRPC request content-type "application/grpcx"'],
    ],
    [
      "GET",
      RANGE,
      [],
      { ":method": "GET" },
      [405, "13", 'Received a HEADERS frame with :method "GET" which should be POST'],
    ],
    [
      "torn message bytes",
      RANGE,
      [envelope(Buffer.from([0x0a, 50, 1]))],
      {},
      [200, "13", "grpc: error unmarshalling request: unexpected EOF"],
    ],
    [
      "torn message bytes on a stream",
      "/etcdserverpb.Watch/Watch",
      [envelope(Buffer.from([0x0a, 50, 1]))],
      {},
      [200, "13", "grpc: failed to unmarshal the received message: unexpected EOF"],
    ],
    [
      "too large",
      RANGE,
      [envelope(Buffer.alloc(2_097_153))],
      {},
      [200, "8", "grpc: received message larger than max (2097153 vs. 2097152)"],
    ],
    [
      "too large by announcement",
      RANGE,
      [Buffer.from([0, 0x40, 0, 0, 0])],
      {},
      [200, "8", "grpc: received message larger than max (1073741824 vs. 2097152)"],
    ],
    ["no message", RANGE, [], {}, [200, "2", "EOF"]],
    ["torn envelope", RANGE, [Buffer.from([0, 0, 0])], {}, [200, "2", "EOF"]],
    ["torn message", RANGE, [Buffer.from([0, 0, 0, 0, 5, 1])], {}, [200, "2", "unexpected EOF"]],
    [
      "torn message on a stream",
      "/etcdserverpb.Watch/Watch",
      [Buffer.from([0, 0, 0, 0, 5, 1])],
      {},
      [200, "13", "unexpected EOF"],
    ],
    ["two messages", RANGE, [...ok, ...ok], {}, [200, "0", ""]],
    [
      "compressed without encoding",
      RANGE,
      [envelope(gzipSync(rangeMessage("k")), 1)],
      {},
      [200, "13", "grpc: compressed flag set with identity or empty encoding"],
    ],
    [
      "gzip",
      RANGE,
      [envelope(gzipSync(rangeMessage("k")), 1)],
      { "grpc-encoding": "gzip" },
      [200, "0", ""],
    ],
    ["gzip announced, not used", RANGE, ok, { "grpc-encoding": "gzip" }, [200, "0", ""]],
    [
      "damaged gzip",
      RANGE,
      [envelope(Buffer.from([1, 2, 3]), 1)],
      { "grpc-encoding": "gzip" },
      [200, "13", "grpc: failed to decompress the message: unexpected EOF"],
    ],
    [
      "gzip bomb",
      RANGE,
      [envelope(gzipSync(Buffer.alloc(3_000_000)), 1)],
      { "grpc-encoding": "gzip" },
      [200, "8", "grpc: received message after decompression larger than max 2097152"],
    ],
    [
      "unknown encoding",
      RANGE,
      ok,
      { "grpc-encoding": "snappy" },
      [200, "12", 'grpc: Decompressor is not installed for grpc-encoding "snappy"'],
    ],
    [
      "unknown flag",
      RANGE,
      [envelope(rangeMessage("k"), 2)],
      {},
      [200, "13", "grpc: received unexpected payload format 2"],
    ],
    [
      "timeout over at once",
      RANGE,
      ok,
      { "grpc-timeout": "1n" },
      [200, "4", "context deadline exceeded"],
    ],
    ["timeout long enough", RANGE, ok, { "grpc-timeout": "5S" }, [200, "0", ""]],
    [
      "timeout too short",
      RANGE,
      ok,
      { "grpc-timeout": "1" },
      [400, "13", 'malformed grpc-timeout: transport: timeout string is too short: "1"'],
    ],
    [
      "timeout too long",
      RANGE,
      ok,
      { "grpc-timeout": "123456789S" },
      [400, "13", 'malformed grpc-timeout: transport: timeout string is too long: "123456789S"'],
    ],
    [
      "timeout unit",
      RANGE,
      ok,
      { "grpc-timeout": "5x" },
      [400, "13", 'malformed grpc-timeout: transport: timeout unit is not recognized: "5x"'],
    ],
    [
      "timeout digits",
      RANGE,
      ok,
      { "grpc-timeout": "aS" },
      [400, "13", 'malformed grpc-timeout: strconv.ParseUint: parsing "a": invalid syntax'],
    ],
    [
      "error of the service",
      RANGE,
      [envelope(new Uint8Array(0))],
      {},
      [200, "3", "etcdserver: key is not provided"],
    ],
    ["server stream without message", "/etcdserverpb.KV/RangeStream", [], {}, [200, "2", "EOF"]],
    ["empty server stream", "/etcdserverpb.KV/RangeStream", ok, {}, [200, "0", ""]],
  ];
  test.each(rows)("%s", async (_name, path, parts, headers, expected) => {
    expect(await status(path, parts, headers)).toEqual(expected);
  });

  test("a client that never half-closes is answered", async () => {
    expect(await status(RANGE, ok, {}, false)).toEqual([200, "0", ""]);
    expect(await status("/etcdserverpb.KV/RangeStream", ok, {}, false)).toEqual([200, "0", ""]);
  });

  test("content subtypes are echoed", async () => {
    for (const type of ["application/grpc", "application/grpc+proto"]) {
      const reply = await rawCall(session, RANGE, ok, { "content-type": type });
      expect(reply.contentType).toBe(type);
    }
  });

  test("a message split at every byte, and several calls at once", async () => {
    const whole = envelope(rangeMessage("split"));
    const replies = await Promise.all(
      Array.from({ length: whole.length - 1 }, (_, i) =>
        rawCall(session, RANGE, [whole.subarray(0, i + 1), whole.subarray(i + 1)]),
      ),
    );
    for (const reply of replies) expect(firstValue(reply.body).toString()).toBe("split");
  });

  test("messages and answers of 1.9 MB, many at once, through default windows", async () => {
    const key = Buffer.alloc(1_900_000, 7);
    const replies = await Promise.all(
      Array.from({ length: 4 }, () => rawCall(session, RANGE, [envelope(rangeMessage(key))])),
    );
    for (const reply of replies) {
      expect(reply.code).toBe("0");
      expect(firstValue(reply.body).equals(key)).toBe(true);
    }
  });

  test("what is not gRPC goes to the fetch handler", async () => {
    const reply = await rawCall(session, "/health", [], { "content-type": "application/json" });
    expect([reply.httpStatus, reply.body.toString()]).toEqual([404, "not found"]);
  });

  test("health: Check, List and Watch", async () => {
    const check = "/grpc.health.v1.Health/Check";
    const empty = [envelope(new Uint8Array(0))];
    expect((await rawCall(session, check, empty)).body.subarray(5)).toEqual(Buffer.from([8, 1]));
    fixture.serving = false;
    expect((await rawCall(session, check, empty)).body.subarray(5)).toEqual(Buffer.from([8, 2]));
    const list = await rawCall(session, "/grpc.health.v1.Health/List", empty);
    expect(list.body.subarray(5)).toEqual(Buffer.from([10, 6, 10, 0, 18, 2, 8, 2]));
    expect(await status(check, [envelope(Buffer.from([10, 1, 120]))])).toEqual([
      200,
      "5",
      "unknown service",
    ]);
    const watch = session.request({
      ":method": "POST",
      ":path": "/grpc.health.v1.Health/Watch",
      "content-type": "application/grpc",
    });
    let seen = Buffer.alloc(0);
    watch.on("data", (chunk: Buffer) => {
      seen = Buffer.concat([seen, chunk]);
    });
    watch.end(empty[0]);
    await until(() => seen.length === 7);
    fixture.health.refresh();
    fixture.serving = true;
    fixture.health.refresh();
    await until(() => seen.length === 14);
    expect([seen[6], seen[13]]).toEqual([2, 1]);
    watch.close();
  });
});
