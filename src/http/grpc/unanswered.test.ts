import { expect, test } from "bun:test";
import { envelope } from "../../../test/grpc-fixture.ts";
import { frame, TestPeer } from "../../../test/http2-peer.ts";
import { METHODS, type UnaryCall } from "../../api/index.ts";
import { BunClock } from "../../io/bun/index.ts";
import { inflateGzip } from "../listener-inflate.ts";
import { GrpcServer } from "./grpc-server.ts";
import { bindMethods } from "./method-table.ts";

/** What becomes of a call whose answer of a megabyte comes when the process has no room for it. */
function unansweredStatus(method: string): number | undefined {
  const calls: UnaryCall<object>[] = [];
  const keep = (_request: object, call: UnaryCall<object>) => calls.push(call);
  const codes: number[] = [];
  const grpc = new GrpcServer({
    clock: new BunClock(),
    inflate: inflateGzip,
    methods: bindMethods(METHODS, { "etcdserverpb.KV": { range: keep, put: keep } }),
    onHandled: (_method, code) => codes.push(code),
  });
  const peer = new TestPeer();
  const grpcPeer = grpc.peer("", "test");
  peer.onNewRequest = ({ stream, head }) => grpc.serve(stream, head, grpcPeer);
  const path = `/etcdserverpb.KV/${method}`;
  peer.open(1, [
    ":method",
    "POST",
    ":scheme",
    "http",
    ":path",
    path,
    "content-type",
    "application/grpc",
  ]);
  peer.send(frame(0, 1, 1, envelope(new Uint8Array([10, 1, 107]))));
  const { answers } = peer.connection.pool;
  answers.open().add(answers.bytesMax);
  const pair = { key: new Uint8Array(1), value: new Uint8Array(1_000_000) };
  calls[0]!.succeed(method === "Put" ? { prev_kv: pair } : { kvs: [pair] });
  expect(peer.connection.queuedBytes).toBe(0);
  expect(peer.connection.activeStreams).toBe(0);
  return codes[0];
}

test("a read without room for its answer may be repeated, a write is not said to be undone", () => {
  expect(unansweredStatus("Range")).toBe(2);
  expect(unansweredStatus("Put")).toBe(14);
});
