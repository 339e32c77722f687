import { describe, expect, test } from "bun:test";
import { frame, POST, type Recorder, TestPeer, told } from "../../../test/http2-peer.ts";

const CALM = 11;
const OK_HEADERS = [":status", "200"];
function answer(request: Recorder, body: Uint8Array): void {
  request.stream.sendHeaders(OK_HEADERS);
  request.stream.sendBytes(body, 0, body.length);
  request.stream.finish(["grpc-status", "0"]);
}

describe("keepalive", () => {
  const ping = frame(6, 0, 0, Buffer.from("12345678"));

  test("a ping is answered with its bytes", () => {
    const peer = new TestPeer();
    peer.send(ping);
    const [ack] = peer.take();
    expect([ack!.type, ack!.flags, ack!.payload.toString()]).toEqual([6, 1, "12345678"]);
  });

  test("without calls the third early ping is one too many", () => {
    const peer = new TestPeer();
    for (let i = 0; i < 3; i++) {
      peer.send(ping);
      peer.nowMs += 60_000;
    }
    expect(peer.finished).toBe(false);
    peer.send(ping);
    expect(told(peer.take()).at(-1)).toBe(`GOAWAY ${CALM} too_many_pings`);
  });

  test("with a call open pings may come every 5 s, faster ones are strikes", () => {
    const peer = new TestPeer();
    peer.open(1);
    for (let i = 0; i < 20; i++) {
      peer.send(ping);
      peer.nowMs += 5_001;
    }
    expect(peer.finished).toBe(false);
    for (let i = 0; i < 4; i++) {
      peer.nowMs += 1000;
      peer.send(ping);
    }
    expect(told(peer.take()).at(-1)).toBe(`GOAWAY ${CALM} too_many_pings`);
  });

  test("sending headers or data wipes the strikes (clients measure bandwidth with pings)", () => {
    const peer = new TestPeer();
    peer.open(1);
    peer.requests[0]!.stream.sendHeaders(OK_HEADERS);
    for (let i = 0; i < 200; i++) {
      peer.requests[0]!.stream.sendBytes(Buffer.from("x"), 0, 1);
      peer.take();
      peer.send(ping);
    }
    expect(peer.finished).toBe(false);
  });
});

describe("draining", () => {
  test("announces, waits for the ack, refuses newer streams, finishes the old ones", () => {
    const peer = new TestPeer();
    peer.open(1, POST, true);
    peer.connection.drain();
    const frames = peer.take();
    expect(told(frames)).toEqual(["GOAWAY 0 graceful_stop", "PING"]);
    expect(frames[0]!.payload.readUInt32BE(0)).toBe(0x7fffffff);
    peer.open(3, POST, true);
    peer.send(frame(6, 1, 0, frames[1]!.payload));
    const [final] = peer.take();
    expect([final!.type, final!.payload.readUInt32BE(0)]).toEqual([7, 3]);
    peer.open(5, POST, true);
    expect(peer.requests.length).toBe(2);
    for (const request of peer.requests) {
      expect(peer.finished).toBe(false);
      answer(request, Buffer.from("bye"));
      peer.take();
    }
    expect(peer.finished).toBe(true);
  });

  test("an idle connection finishes with the ack", () => {
    const peer = new TestPeer();
    peer.connection.drain();
    const frames = peer.take();
    peer.send(frame(6, 1, 0, frames[1]!.payload));
    expect(told(peer.take())).toEqual(["GOAWAY 0"]);
    expect(peer.finished).toBe(true);
  });
});

test("a lost socket aborts every stream once", () => {
  const peer = new TestPeer();
  peer.open(1);
  peer.open(3);
  peer.connection.abort(8);
  peer.connection.abort(8);
  expect(peer.requests.map((request) => request.resetCode)).toEqual([8, 8]);
  expect(peer.connection.activeStreams).toBe(0);
  answer(peer.requests[0]!, Buffer.from("late"));
  expect(peer.connection.queuedBytes).toBe(0);
});
