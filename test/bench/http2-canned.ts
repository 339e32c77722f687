/**
 * The HTTP/2 and gRPC layers alone: a server with canned answers, for h2load or any gRPC client. Not part of the
 * test run. Usage: bun test/bench/http2-canned.ts [port] [answer bytes]; then for example
 *   h2load -n 1000000 -c 8 -m 8 -H 'content-type: application/grpc' -H 'te: trailers' \
 *     -d request.bin http://127.0.0.1:PORT/etcdserverpb.KV/Range
 * where request.bin holds one enveloped RangeRequest (written to the path given as third argument).
 */
import { writeFileSync } from "node:fs";
import type { RangeResponseInit } from "../../src/api/index.ts";
import { encodeRangeRequest, METHODS, ProtoWriter, type UnaryCall } from "../../src/api/index.ts";
import { bindMethods, GrpcServer, inflateGzip, Listener } from "../../src/http/index.ts";
import { BunClock } from "../../src/io/bun/index.ts";
import { silentLogger } from "../../src/io/index.ts";

const port = Number(process.argv[2] ?? 0);
const valueBytes = Number(process.argv[3] ?? 256);
const requestPath = process.argv[4];

const response: RangeResponseInit = {
  header: {
    cluster_id: 14841639068965178418n,
    member_id: 10276657743932975437n,
    revision: 12345,
    raft_term: 2,
  },
  kvs: [
    {
      key: new Uint8Array(16).fill(0x6b),
      create_revision: 1000,
      mod_revision: 12000,
      version: 7,
      value: new Uint8Array(valueBytes).fill(0x76),
    },
  ],
  count: 1,
};
const late: UnaryCall<RangeResponseInit>[] = [];
const isLate = process.env.LATE === "1";
const methods = bindMethods(METHODS, {
  "etcdserverpb.KV": {
    range(_request: unknown, call: UnaryCall<RangeResponseInit>) {
      if (!isLate) {
        call.succeed(response);
      } else if (late.push(call) === 1) {
        setImmediate(() => {
          for (const waiting of late.splice(0)) waiting.succeed(response);
        });
      }
    },
  },
});
const clock = new BunClock();
const grpc = new GrpcServer({ clock, methods, inflate: inflateGzip });
const tls =
  process.env.CERT && process.env.KEY
    ? { certFile: process.env.CERT, keyFile: process.env.KEY }
    : undefined;
const listener = new Listener({
  clock,
  logger: silentLogger,
  url: `${tls ? "https" : "http"}://127.0.0.1:${port}`,
  tls,
  grpc,
  fetch: () => new Response("ok"),
});
await listener.start();
if (requestPath !== undefined) {
  const writer = new ProtoWriter();
  encodeRangeRequest(writer, { key: new Uint8Array(16).fill(0x6b) });
  const message = writer.finish();
  writeFileSync(requestPath, Buffer.concat([Buffer.from([0, 0, 0, 0, message.length]), message]));
}
console.log(JSON.stringify(listener.address));
process.on("SIGTERM", () => process.exit(0));
