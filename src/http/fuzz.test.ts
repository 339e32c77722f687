/**
 * Foreign bytes against the HTTP/2 and gRPC layers together: random, plausible frame by frame, and real captures
 * with mutations. Nothing may throw or hang, what goes out must parse, and books must balance at the end.
 * CAIRN_FUZZ_RUNS raises the number of runs.
 */
import { expect, test } from "bun:test";
import * as http2 from "node:http2";
import * as net from "node:net";
import fc from "fast-check";
import { envelope, rangeMessage, until } from "../../test/grpc-fixture.ts";
import { frame, parseFrames, TestPeer, uint32 } from "../../test/http2-peer.ts";
import {
  METHODS,
  type RangeRequest,
  type RequestStream,
  type StreamCall,
  type UnaryCall,
} from "../api/index.ts";
import { silentLogger } from "../io/index.ts";
import { FetchStream } from "./fetch-stream.ts";
import { isGrpcRequest } from "./grpc/index.ts";
import { CLIENT_PREFACE, type Http2Stream, type RequestHead } from "./http2/index.ts";
import { bindMethods, type GrpcPeer, GrpcServer, inflateGzip } from "./index.ts";

const RUNS = Number(process.env.CAIRN_FUZZ_RUNS ?? 300);
const GRPC = [
  ":method",
  "POST",
  ":scheme",
  "http",
  ":path",
  "/etcdserverpb.KV/Range",
  "content-type",
  "application/grpc",
];

/** A connection that serves gRPC and HTTP for real, only without a socket. */
class ServingPeer extends TestPeer {
  grpc: GrpcServer | null = null;
  grpcPeer: GrpcPeer | null = null;

  override onRequest(stream: Http2Stream, head: RequestHead): void {
    this.grpc ??= new GrpcServer({
      clock: {
        monotonicMs: () => this.nowMs,
        wallMs: () => 0,
        setTimer: () => ({ cancel() {} }),
        soon() {},
      },
      inflate: inflateGzip,
      messageBytesMax: 10_000,
      methods: bindMethods(METHODS, {
        "etcdserverpb.KV": {
          range: (request: RangeRequest, call: UnaryCall<object>) =>
            call.succeed({ kvs: [{ key: request.key, value: new Uint8Array(100) }] }),
          rangeStream: (_request: RangeRequest, call: StreamCall<object>) => {
            for (let i = 0; i < 10; i++) call.send({ range_response: { count: i } });
            call.end();
          },
        },
        "etcdserverpb.Watch": {
          watch: (requests: RequestStream<object>, call: StreamCall<object>) => {
            requests.onMessage(() => call.send({ created: true }));
            requests.onEnd(() => call.end());
          },
        },
      }),
    });
    this.grpcPeer ??= this.grpc.peer("", "test");
    if (isGrpcRequest(head)) {
      this.grpc.serve(stream, head, this.grpcPeer);
      return;
    }
    const served = new FetchStream(stream, silentLogger);
    stream.consumer = served;
    const info = { peerAddress: "", peerName: "", isTls: false, httpVersion: "2" } as const;
    void served.serve(head, () => new Response(null), info);
  }
}

function checkBooks(peer: ServingPeer): void {
  const { connection } = peer;
  parseFrames(peer.takeBytes());
  expect(connection.queuedBytes).toBeGreaterThanOrEqual(0);
  let queued = 0;
  for (const stream of connection.streams.values()) {
    expect(stream.dead).toBe(false);
    queued += stream.queuedBytes;
  }
  expect(connection.queuedBytes).toBe(queued);
  connection.abort(8);
  expect(connection.queuedBytes).toBe(0);
  expect(connection.activeStreams).toBe(0);
  expect(peer.grpcPeer?.usedBytes ?? 0).toBe(0);
}

function feed(peer: ServingPeer, bytes: Buffer, cuts: readonly number[]): void {
  let at = 0;
  for (const cut of cuts) {
    if (at >= bytes.length) break;
    const end = Math.min(bytes.length, at + 1 + cut);
    peer.send(bytes.subarray(at, end));
    parseFrames(peer.takeBytes());
    at = end;
  }
  peer.send(bytes.subarray(at));
}

const cutsArbitrary = fc.array(fc.nat(50), { maxLength: 40 });

test("random bytes", () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 500 }), cutsArbitrary, (bytes, cuts) => {
      for (const handshake of [true, false]) {
        const peer = new ServingPeer({ handshake });
        feed(peer, Buffer.from(bytes), cuts);
        checkBooks(peer);
      }
    }),
    { numRuns: RUNS },
  );
});

const frameArbitrary = fc
  .record({
    type: fc.integer({ min: 0, max: 10 }),
    flags: fc.oneof(fc.constantFrom(0, 1, 4, 5), fc.nat(255)),
    streamId: fc.oneof(fc.nat(9), fc.nat(0x7fffffff)),
    payload: fc.oneof(
      fc.uint8Array({ maxLength: 60 }),
      fc.nat(70_000).map((value) => uint32(value)),
      fc.constant(Buffer.alloc(8)),
      fc.constant(envelope(rangeMessage("key"))),
      fc.constant(Buffer.concat([Buffer.from([0, 4]), uint32(5)])),
    ),
  })
  .map(({ type, flags, streamId, payload }) => frame(type, flags, streamId, payload));
const requestArbitrary = fc
  .record({
    streamId: fc.nat(20).map((n) => n * 2 + 1),
    path: fc.constantFrom(
      "/etcdserverpb.KV/Range",
      "/etcdserverpb.KV/RangeStream",
      "/etcdserverpb.Watch/Watch",
      "/x",
    ),
    extra: fc.constantFrom(
      [],
      ["grpc-timeout", "1S"],
      ["grpc-encoding", "gzip"],
      ["content-length", "15"],
    ),
    ended: fc.boolean(),
  })
  .map(({ streamId, path, extra, ended }) => {
    const fields = [
      ":method",
      "POST",
      ":scheme",
      "http",
      ":path",
      path,
      "content-type",
      "application/grpc",
      ...extra,
    ];
    const block = new TestPeer({ handshake: false }).blocks.block(fields);
    return frame(1, ended ? 5 : 4, streamId, block);
  });

test("plausible frames in any order", () => {
  const frames = fc.array(fc.oneof(frameArbitrary, requestArbitrary), { maxLength: 40 });
  fc.assert(
    fc.property(frames, cutsArbitrary, (parts, cuts) => {
      const peer = new ServingPeer();
      feed(peer, Buffer.concat(parts), cuts);
      checkBooks(peer);
    }),
    { numRuns: RUNS },
  );
});

/** What a real client sends in its first moments: preface, SETTINGS, and these calls. */
async function capture(): Promise<Buffer> {
  let seen = Buffer.alloc(0);
  const sockets: net.Socket[] = [];
  const server = net.createServer((socket) => {
    sockets.push(socket);
    socket.on("error", () => {});
    socket.write(frame(4, 0, 0));
    socket.on("data", (chunk: Buffer) => {
      seen = Buffer.concat([seen, chunk]);
    });
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as net.AddressInfo;
  const session = http2.connect(`http://127.0.0.1:${port}`);
  session.on("error", () => {});
  for (const path of [
    "/etcdserverpb.KV/Range",
    "/etcdserverpb.KV/RangeStream",
    "/etcdserverpb.Watch/Watch",
    "/health",
  ]) {
    const stream = session.request({
      ":method": "POST",
      ":path": path,
      "content-type": path === "/health" ? "text/plain" : "application/grpc",
      te: "trailers",
      token: "abc.1",
      "grpc-timeout": "10S",
    });
    stream.on("error", () => {});
    stream.write(envelope(rangeMessage(path)));
    stream.end(envelope(rangeMessage("end-of-capture")));
  }
  const marker = Buffer.from("end-of-capture");
  const count = (): number => seen.toString("latin1").split(marker.toString("latin1")).length - 1;
  await until(() => count() === 4);
  session.destroy();
  for (const socket of sockets) socket.destroy();
  server.close();
  return seen;
}

test("captures of a real client, whole and mutated", async () => {
  const real = await capture();
  const whole = new ServingPeer({ handshake: false });
  whole.send(real);
  const answers = parseFrames(whole.takeBytes());
  expect(
    answers.filter(({ type, flags }) => type === 1 && flags & 1).length,
  ).toBeGreaterThanOrEqual(3);
  checkBooks(whole);
  const mutation = fc.record({
    at: fc.nat(real.length - 1),
    kind: fc.constantFrom("flip", "insert", "delete", "repeat"),
    value: fc.nat(255),
    length: fc.integer({ min: 1, max: 40 }),
  });
  fc.assert(
    fc.property(
      fc.array(mutation, { minLength: 1, maxLength: 6 }),
      cutsArbitrary,
      (mutations, cuts) => {
        let bytes = Buffer.from(real);
        for (const { at, kind, value, length } of mutations) {
          const place = Math.max(CLIENT_PREFACE.length, at % bytes.length);
          const head = bytes.subarray(0, place);
          const tail = bytes.subarray(place);
          if (kind === "flip") bytes[place % bytes.length]! ^= value;
          else if (kind === "insert")
            bytes = Buffer.concat([head, Buffer.alloc(length, value), tail]);
          else if (kind === "delete") bytes = Buffer.concat([head, tail.subarray(length)]);
          else bytes = Buffer.concat([head, tail.subarray(0, length), tail]);
        }
        const peer = new ServingPeer({ handshake: false });
        feed(peer, bytes, cuts);
        checkBooks(peer);
      },
    ),
    { numRuns: RUNS },
  );
});

test("a header block of any bytes costs the connection or the stream, never more", () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 300 }), (bytes) => {
      const peer = new ServingPeer();
      peer.send(frame(1, 5, 1, bytes), frame(1, 5, 3, peer.blocks.block(GRPC)));
      checkBooks(peer);
    }),
    { numRuns: RUNS },
  );
});
