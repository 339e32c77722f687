import { describe, expect, test } from "bun:test";
import { frame, POST, TestPeer, told, uint32 } from "../../../test/http2-peer.ts";
import { CLIENT_PREFACE } from "./frame.ts";

const PROTOCOL = 1;
const FLOW = 3;
const CLOSED = 5;
const SIZE = 6;
const REFUSED = 7;
const COMPRESSION = 9;
const CALM = 11;

const setting = (id: number, value: number): Buffer =>
  Buffer.concat([Buffer.from([0, id]), uint32(value)]);

test("SETTINGS is the first frame, the connection window follows", () => {
  const peer = new TestPeer({ handshake: false });
  const frames = peer.take();
  expect(told(frames)).toEqual(["SETTINGS", `WINDOW 0 ${16 * 1024 * 1024 - 65_535}`]);
  // No MAX_CONCURRENT_STREAMS: unlimited, as etcd's.
  expect([...frames[0]!.payload.filter((_, i) => i % 6 === 1)]).toEqual([4, 6]);
});

test("the preface may come byte by byte, and so may frames", () => {
  const peer = new TestPeer({ handshake: false });
  const all = Buffer.concat([
    Buffer.from(CLIENT_PREFACE, "latin1"),
    frame(4, 0, 0),
    frame(1, 4, 1, peer.blocks.block(POST)),
    frame(0, 1, 1, Buffer.from("hello")),
  ]);
  for (const byte of all) peer.send(Buffer.from([byte]));
  expect(peer.requests[0]!.data.toString()).toBe("hello");
  expect(peer.requests[0]!.ended).toBe(true);
});

test("a wrong preface ends the connection", () => {
  const peer = new TestPeer({ handshake: false });
  peer.send(Buffer.from("PRI * HTTP/1.1\r\n\r\nSM\r\n\r\n"));
  expect(peer.finished).toBe(true);
});

// What h2spec checks, as a table: the client's frames and the connection error they earn.
describe("connection errors", () => {
  const rows: [string, number, (peer: TestPeer) => Buffer[]][] = [
    ["first frame is not SETTINGS", PROTOCOL, () => [frame(6, 0, 0, Buffer.alloc(8))]],
    [
      "frame above max frame size",
      SIZE,
      () => [frame(4, 0, 0), frame(0, 0, 1, Buffer.alloc(16_385))],
    ],
    ["DATA on stream 0", PROTOCOL, () => [frame(4, 0, 0), frame(0, 0, 0, [1])]],
    ["DATA on an idle stream", PROTOCOL, () => [frame(4, 0, 0), frame(0, 0, 1, [1])]],
    [
      "DATA padding too long",
      PROTOCOL,
      (p) => [frame(4, 0, 0), frame(1, 4, 1, p.blocks.block(POST)), frame(0, 8, 1, [5, 1])],
    ],
    [
      "HEADERS on stream 0",
      PROTOCOL,
      (p) => [frame(4, 0, 0), frame(1, 4, 0, p.blocks.block(POST))],
    ],
    [
      "HEADERS on an even stream",
      PROTOCOL,
      (p) => [frame(4, 0, 0), frame(1, 4, 2, p.blocks.block(POST))],
    ],
    ["HEADERS padding too long", PROTOCOL, () => [frame(4, 0, 0), frame(1, 4 | 8, 1, [9, 0x82])]],
    [
      "HEADERS that depend on themselves",
      PROTOCOL,
      (p) => [
        frame(4, 0, 0),
        frame(1, 4 | 0x20, 1, Buffer.concat([uint32(1), Buffer.from([0]), p.blocks.block(POST)])),
      ],
    ],
    [
      "HEADERS on a closed stream",
      CLOSED,
      (p) => [
        frame(4, 0, 0),
        frame(1, 5, 3, p.blocks.block(POST)),
        frame(1, 5, 1, p.blocks.block(POST)),
      ],
    ],
    ["damaged header block", COMPRESSION, () => [frame(4, 0, 0), frame(1, 4, 1, [0x80])]],
    [
      "header block interrupted by another frame",
      PROTOCOL,
      (p) => [
        frame(4, 0, 0),
        frame(1, 0, 1, p.blocks.block(POST)),
        frame(6, 0, 0, Buffer.alloc(8)),
      ],
    ],
    [
      "header block continued on another stream",
      PROTOCOL,
      (p) => [frame(4, 0, 0), frame(1, 0, 1, p.blocks.block(POST)), frame(9, 4, 3)],
    ],
    ["CONTINUATION without HEADERS", PROTOCOL, () => [frame(4, 0, 0), frame(9, 4, 1)]],
    ["PRIORITY on stream 0", PROTOCOL, () => [frame(4, 0, 0), frame(2, 0, 0, Buffer.alloc(5))]],
    ["PRIORITY of wrong length", SIZE, () => [frame(4, 0, 0), frame(2, 0, 1, Buffer.alloc(4))]],
    ["RST_STREAM on stream 0", PROTOCOL, () => [frame(4, 0, 0), frame(3, 0, 0, uint32(8))]],
    ["RST_STREAM on an idle stream", PROTOCOL, () => [frame(4, 0, 0), frame(3, 0, 1, uint32(8))]],
    ["RST_STREAM of wrong length", SIZE, () => [frame(4, 0, 0), frame(3, 0, 1, [0])]],
    ["SETTINGS on a stream", PROTOCOL, () => [frame(4, 0, 1)]],
    ["SETTINGS of wrong length", SIZE, () => [frame(4, 0, 0, [0, 1, 2])]],
    ["SETTINGS ack with payload", SIZE, () => [frame(4, 0, 0), frame(4, 1, 0, setting(1, 1))]],
    ["ENABLE_PUSH 2", PROTOCOL, () => [frame(4, 0, 0, setting(2, 2))]],
    ["INITIAL_WINDOW_SIZE too large", FLOW, () => [frame(4, 0, 0, setting(4, 0x80000000))]],
    ["MAX_FRAME_SIZE too small", PROTOCOL, () => [frame(4, 0, 0, setting(5, 16_383))]],
    ["MAX_FRAME_SIZE too large", PROTOCOL, () => [frame(4, 0, 0, setting(5, 16_777_216))]],
    ["PUSH_PROMISE", PROTOCOL, () => [frame(4, 0, 0), frame(5, 4, 1, uint32(2))]],
    ["PING on a stream", PROTOCOL, () => [frame(4, 0, 0), frame(6, 0, 1, Buffer.alloc(8))]],
    ["PING of wrong length", SIZE, () => [frame(4, 0, 0), frame(6, 0, 0, Buffer.alloc(7))]],
    ["GOAWAY on a stream", PROTOCOL, () => [frame(4, 0, 0), frame(7, 0, 1, Buffer.alloc(8))]],
    [
      "WINDOW_UPDATE of 0 on the connection",
      PROTOCOL,
      () => [frame(4, 0, 0), frame(8, 0, 0, uint32(0))],
    ],
    [
      "WINDOW_UPDATE overflow on the connection",
      FLOW,
      () => [frame(4, 0, 0), frame(8, 0, 0, uint32(0x7fffffff))],
    ],
    ["WINDOW_UPDATE of wrong length", SIZE, () => [frame(4, 0, 0), frame(8, 0, 0, [0])]],
    [
      "WINDOW_UPDATE on an idle stream",
      PROTOCOL,
      () => [frame(4, 0, 0), frame(8, 0, 1, uint32(1))],
    ],
  ];
  test.each(rows)("%s", (_name, code, frames) => {
    const peer = new TestPeer({ handshake: false });
    peer.take();
    peer.send(Buffer.from(CLIENT_PREFACE, "latin1"), ...frames(peer));
    const last = told(peer.take()).at(-1)!;
    expect(last).toStartWith(`GOAWAY ${code}`);
    expect(peer.finished).toBe(true);
    expect(peer.connection.activeStreams).toBe(0);
    // Nothing is read any more.
    peer.send(frame(6, 0, 0, Buffer.alloc(8)));
    expect(peer.take()).toEqual([]);
  });
});

describe("stream errors", () => {
  const without = (name: string): string[] => {
    const at = POST.indexOf(name);
    return POST.filter((_, i) => i !== at && i !== at + 1);
  };
  const rows: [string, number, readonly string[]][] = [
    ["upper case name", PROTOCOL, [...POST, "X-Upper", "1"]],
    ["unknown pseudo header", PROTOCOL, [":foo", "x", ...POST]],
    ["pseudo header after a field", PROTOCOL, [...without(":path"), "a", "b", ":path", "/"]],
    ["repeated pseudo header", PROTOCOL, [":path", "/x", ...POST]],
    ["no :path", PROTOCOL, without(":path")],
    ["no :method", PROTOCOL, without(":method")],
    ["no :scheme", PROTOCOL, without(":scheme")],
    ["a response's pseudo header", PROTOCOL, [":status", "200", ...POST]],
    ["connection field", PROTOCOL, [...POST, "connection", "keep-alive"]],
    ["te other than trailers", PROTOCOL, [...POST, "te", "gzip"]],
    ["line break in a value", PROTOCOL, [...POST, "a", "b\r\nc"]],
    ["broken content-length", PROTOCOL, [...POST, "content-length", "1x"]],
    [
      "header list over the limit",
      CALM,
      [...POST, "big", "x".repeat(30_000), "big2", "y".repeat(30_000), "big3", "z".repeat(6000)],
    ],
  ];
  test.each(rows)("%s", (_name, code, fields) => {
    const peer = new TestPeer({ limits: { maxFrameBytes: 100_000, headerBlockBytesMax: 200_000 } });
    peer.open(1, fields);
    expect(told(peer.take())).toEqual([`RST 1 ${code}`]);
    expect(peer.requests).toEqual([]);
    peer.open(3);
    expect(peer.requests.length).toBe(1);
  });

  test("DATA after END_STREAM", () => {
    const peer = new TestPeer();
    peer.open(1, POST, true);
    peer.send(frame(0, 0, 1, [1]));
    expect(told(peer.take())).toEqual([`RST 1 ${CLOSED}`]);
    expect(peer.requests[0]!.resetCode).toBe(CLOSED);
  });

  test.each([
    ["shorter", "5"],
    ["longer", "2"],
  ])("a body %s than content-length", (_name, length) => {
    const peer = new TestPeer();
    peer.open(1, [...POST, "content-length", length]);
    peer.send(frame(0, 1, 1, [1, 2, 3]));
    expect(told(peer.take())).toEqual([`RST 1 ${PROTOCOL}`]);
    expect(peer.requests[0]!.ended).toBe(false);
  });

  test("trailers: well formed ones end the stream, others reset it", () => {
    const peer = new TestPeer();
    peer.open(1);
    peer.send(frame(1, 5, 1, peer.blocks.block(["x-sum", "1"])));
    expect(peer.requests[0]!.ended).toBe(true);
    peer.open(3);
    peer.send(frame(1, 4, 3, peer.blocks.block(["x-sum", "1"])));
    peer.open(5);
    peer.send(frame(1, 5, 5, peer.blocks.block([":path", "/"])));
    expect(told(peer.take())).toEqual([`RST 3 ${PROTOCOL}`, `RST 5 ${PROTOCOL}`]);
  });

  test("WINDOW_UPDATE of 0, and overflow, on a stream", () => {
    const peer = new TestPeer();
    peer.open(1);
    peer.open(3);
    peer.send(frame(8, 0, 1, uint32(0)), frame(8, 0, 3, uint32(0x7fffffff)));
    expect(told(peer.take())).toEqual([`RST 1 ${PROTOCOL}`, `RST 3 ${FLOW}`]);
  });

  test("streams above the limit are refused, others go on", () => {
    const peer = new TestPeer({ limits: { maxConcurrentStreams: 2 } });
    for (const id of [1, 3, 5]) peer.open(id);
    expect(told(peer.take())).toEqual([`RST 5 ${REFUSED}`]);
    peer.send(frame(3, 0, 1, uint32(8)));
    expect(peer.requests[0]!.resetCode).toBe(8);
    peer.open(7);
    expect(peer.requests.length).toBe(3);
  });
});

test("frames to a stream that we reset are ignored, but counted for the connection's window", () => {
  const peer = new TestPeer();
  peer.open(1);
  peer.requests[0]!.stream.reset(8);
  peer.take();
  const before = peer.connection.receiveWindow + peer.connection.returnedBytes;
  peer.send(
    frame(0, 0, 1, Buffer.alloc(1000)),
    frame(8, 0, 1, uint32(5)),
    frame(3, 0, 1, uint32(8)),
  );
  expect(peer.take()).toEqual([]);
  expect(peer.connection.receiveWindow + peer.connection.returnedBytes).toBe(before);
});

test("unknown frame types and settings are ignored", () => {
  const peer = new TestPeer();
  peer.send(frame(0x77, 0xff, 5, [1, 2, 3]), frame(4, 0, 0, setting(0x99, 1)));
  expect(told(peer.take())).toEqual(["SETTINGS ack"]);
  expect(peer.finished).toBe(false);
});

test("padding and priority fields are stripped", () => {
  const peer = new TestPeer();
  const block = peer.blocks.block(POST);
  const priority = Buffer.concat([uint32(0), Buffer.from([7])]);
  peer.send(
    frame(1, 4 | 8 | 0x20, 1, Buffer.concat([Buffer.from([3]), priority, block, Buffer.alloc(3)])),
  );
  peer.send(
    frame(0, 8 | 1, 1, Buffer.concat([Buffer.from([4]), Buffer.from("abc"), Buffer.alloc(4)])),
  );
  expect(peer.requests[0]!.head.path).toBe("/");
  expect(peer.requests[0]!.data.toString()).toBe("abc");
});

test("a header block over CONTINUATION frames", () => {
  const peer = new TestPeer();
  const block = peer.blocks.block([...POST, "x-long", "v".repeat(500)]);
  peer.send(frame(1, 1, 1, block.subarray(0, 10)), frame(9, 0, 1, block.subarray(10, 100)));
  expect(peer.requests.length).toBe(0);
  peer.send(frame(9, 4, 1, block.subarray(100)));
  expect(peer.requests[0]!.head.field("x-long")).toBe("v".repeat(500));
  expect(peer.requests[0]!.ended).toBe(true);
});

test("equal header blocks share one head until the dynamic table moves", () => {
  const peer = new TestPeer();
  const fields = [...POST, "token", "abc"];
  for (const id of [1, 3, 5, 7]) {
    peer.send(frame(1, 5, id, peer.blocks.block(fields, true)));
  }
  const heads = peer.requests.map((request) => request.head);
  expect(heads[2]).toBe(heads[1]!);
  expect(heads[3]).toBe(heads[1]!);
  peer.send(frame(1, 5, 9, peer.blocks.block([...fields, "grpc-timeout", "5S"], true)));
  peer.send(frame(1, 5, 11, peer.blocks.block(fields, true)));
  const last = peer.requests[5]!.head;
  expect(last).not.toBe(heads[1]!);
  expect(last.fields).toEqual(heads[1]!.fields);
});

test("the same bytes after a change of the dynamic table are other headers", () => {
  const peer = new TestPeer();
  const insert = (name: string, value: string): number[] => [
    ...[0x40, name.length, ...Buffer.from(name)],
    ...[value.length, ...Buffer.from(value)],
  ];
  // :method POST, :scheme http, :path /, then the youngest entry of the table.
  const youngest = [0x83, 0x86, 0x84, 0xbe];
  peer.send(frame(1, 5, 1, [0x83, 0x86, 0x84, ...insert("token", "alice")]));
  peer.send(frame(1, 5, 3, youngest), frame(1, 5, 5, youngest));
  peer.send(frame(1, 5, 7, [0x83, 0x86, 0x84, ...insert("token", "bob")]));
  peer.send(frame(1, 5, 9, youngest));
  const tokens = peer.requests.map((request) => request.head.field("token"));
  expect(tokens).toEqual(["alice", "alice", "alice", "bob", "bob"]);
});
