import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { frame, POST, type Recorder, TestPeer, told, uint32 } from "../../../test/http2-peer.ts";

const CALM = 11;
const OK_HEADERS = [":status", "200"];
const setting = (id: number, value: number): Buffer =>
  Buffer.concat([Buffer.from([0, id]), uint32(value)]);

/** Small bodies are written straight into the output, as gRPC does it; others are queued. */
function answer(request: Recorder, body: Uint8Array): void {
  const { stream } = request;
  stream.sendHeaders(OK_HEADERS);
  if (body.length < 40_000) {
    const frameStart = stream.openData();
    stream.connection.out.raw(body);
    stream.closeData(frameStart);
  } else {
    stream.sendBytes(body, 0, body.length);
  }
  request.stream.finish(["grpc-status", "0"]);
}

describe("sending", () => {
  test("an answer given within receive() costs no call to the host; a later one costs one", () => {
    const peer = new TestPeer();
    peer.onNewRequest = (request) => answer(request, Buffer.from("x"));
    peer.outputCalls = 0;
    peer.open(1, POST, true);
    expect(peer.outputCalls).toBe(0);
    expect(told(peer.take())).toEqual(["HEADERS 1", "DATA 1 1", "HEADERS 1 end"]);
    peer.onNewRequest = null;
    peer.open(3, POST, true);
    peer.open(5, POST, true);
    for (const request of peer.requests.slice(1)) answer(request, Buffer.from("x"));
    expect(peer.outputCalls).toBe(1);
    expect(peer.take().length).toBe(6);
  });

  test("respects tiny stream windows, and trailers wait for the data", () => {
    const peer = new TestPeer();
    peer.send(frame(4, 0, 0, setting(4, 3)));
    peer.take();
    peer.open(1, POST, true);
    answer(peer.requests[0]!, Buffer.from("hello world"));
    expect(told(peer.take())).toEqual(["HEADERS 1", "DATA 1 3"]);
    peer.send(frame(8, 0, 1, uint32(5)));
    expect(told(peer.take())).toEqual(["DATA 1 5"]);
    peer.send(frame(8, 0, 1, uint32(100)));
    expect(told(peer.take())).toEqual(["DATA 1 3", "HEADERS 1 end"]);
    expect(peer.connection.activeStreams).toBe(0);
    expect(peer.connection.queuedBytes).toBe(0);
  });

  test("respects the connection window across streams", () => {
    const peer = new TestPeer();
    peer.send(frame(4, 0, 0, setting(4, 1_000_000)));
    peer.open(1, POST, true);
    peer.open(3, POST, true);
    peer.take();
    for (const request of peer.requests) answer(request, Buffer.alloc(100_000));
    const sent = peer
      .take()
      .filter(({ type }) => type === 0)
      .reduce((sum, f) => sum + f.payload.length, 0);
    expect(sent).toBe(65_535);
    peer.send(frame(8, 0, 0, uint32(1_000_000)));
    const rest = peer.take();
    expect(
      rest.filter(({ type }) => type === 0).reduce((sum, f) => sum + f.payload.length, 0),
    ).toBe(200_000 - 65_535);
    expect(rest.filter(({ type }) => type === 1).length).toBe(2);
  });

  test("SETTINGS that lower the initial window make windows negative, raising them resumes", () => {
    const peer = new TestPeer();
    peer.open(1, POST, true);
    const { stream } = peer.requests[0]!;
    stream.sendHeaders(OK_HEADERS);
    stream.sendBytes(Buffer.alloc(60_000), 0, 60_000);
    peer.take();
    peer.send(frame(4, 0, 0, setting(4, 10)));
    expect(stream.sendWindow).toBe(10 - 60_000);
    stream.sendBytes(Buffer.alloc(5), 0, 5);
    expect(told(peer.take())).toEqual(["SETTINGS ack"]);
    peer.send(frame(4, 0, 0, setting(4, 60_005)));
    expect(told(peer.take())).toEqual(["SETTINGS ack", "DATA 1 5"]);
  });

  test("big answers take turns, a small one is not held up", () => {
    const peer = new TestPeer();
    peer.send(frame(4, 0, 0, setting(4, 10_000_000)), frame(8, 0, 0, uint32(100_000_000)));
    for (const id of [1, 3, 5]) peer.open(id, POST, true);
    peer.take();
    answer(peer.requests[0]!, Buffer.alloc(1_000_000));
    answer(peer.requests[1]!, Buffer.alloc(1_000_000));
    answer(peer.requests[2]!, Buffer.alloc(100));
    const data = peer
      .take()
      .filter(({ type }) => type === 0)
      .map(({ streamId }) => streamId);
    expect(data.indexOf(5)).toBeLessThan(4);
    const firstHundred = data.slice(0, 100);
    expect(
      Math.abs(
        firstHundred.filter((id) => id === 1).length - firstHundred.filter((id) => id === 3).length,
      ),
    ).toBeLessThanOrEqual(2);
  });

  test("output is bounded while the socket does not drain, and producers are told", () => {
    const peer = new TestPeer();
    peer.send(frame(4, 0, 0, setting(4, 0x7fffffff)), frame(8, 0, 0, uint32(0x7fff0000)));
    peer.open(1, POST, true);
    peer.take();
    const [request] = peer.requests;
    const { stream } = request!;
    stream.sendHeaders(OK_HEADERS);
    let sent = 0;
    while (!stream.isFull()) {
      stream.sendBytes(Buffer.alloc(10_000), 0, 10_000);
      sent += 10_000;
    }
    peer.connection.prepareOutput();
    peer.connection.prepareOutput();
    expect(peer.connection.out.position).toBeLessThan(300_000);
    expect(sent).toBeLessThan(300_000);
    peer.take();
    expect(request!.drains).toBe(1);
  });

  test("MAX_FRAME_SIZE of the peer is used, headers are split by it too", () => {
    const peer = new TestPeer();
    peer.send(frame(4, 0, 0, Buffer.concat([setting(5, 20_000), setting(4, 1_000_000)])));
    peer.take();
    peer.open(1, POST, true);
    const { stream } = peer.requests[0]!;
    stream.sendHeaders([...OK_HEADERS, "big", "é".repeat(30_000)]);
    stream.sendBytes(Buffer.alloc(30_000), 0, 30_000);
    stream.finish(null);
    const frames = peer.take();
    expect(told(frames.filter(({ type }) => type === 0))).toEqual([
      "DATA 1 20000",
      "DATA 1 10000 end",
    ]);
    expect(
      frames
        .filter(({ type }) => type === 1 || type === 9)
        .every(({ payload }) => payload.length <= 20_000),
    ).toBe(true);
    expect(frames.filter(({ type }) => type === 9).at(-1)!.flags).toBe(4);
  });

  test("a client that has not finished is told to stop", () => {
    const peer = new TestPeer();
    peer.open(1);
    answer(peer.requests[0]!, Buffer.from("no"));
    expect(told(peer.take())).toEqual(["HEADERS 1", "DATA 1 2", "HEADERS 1 end", "RST 1 0"]);
  });
});

describe("receiving", () => {
  test("credit comes back in strides, and only for what was taken", () => {
    const peer = new TestPeer({
      limits: { streamWindowBytes: 40_000, connectionWindowBytes: 100_000 },
    });
    peer.open(1);
    const [request] = peer.requests;
    request!.credits = false;
    peer.send(frame(0, 0, 1, Buffer.alloc(16_000)), frame(0, 0, 1, Buffer.alloc(16_000)));
    expect(peer.take()).toEqual([]);
    request!.stream.credit(16_000);
    expect(peer.take()).toEqual([]);
    request!.stream.credit(16_000);
    expect(told(peer.take())).toEqual(["WINDOW 1 32000"]);
  });

  test("a stream that sends more than its window is reset, the connection's window is kept", () => {
    const peer = new TestPeer({ limits: { streamWindowBytes: 20_000 } });
    peer.open(1);
    peer.requests[0]!.credits = false;
    peer.send(frame(0, 0, 1, Buffer.alloc(16_000)), frame(0, 0, 1, Buffer.alloc(16_000)));
    expect(told(peer.take())).toEqual(["RST 1 3"]);
  });

  test("more than the connection's window ends the connection", () => {
    const peer = new TestPeer({
      limits: { streamWindowBytes: 1_000_000, connectionWindowBytes: 65_535 },
    });
    peer.onNewRequest = (request) => {
      request.credits = false;
    };
    for (const id of [1, 3, 5, 7, 9]) {
      peer.open(id);
      peer.send(frame(0, 0, id, Buffer.alloc(16_000)));
    }
    expect(told(peer.take()).at(-1)).toBe("GOAWAY 3 connection window exceeded");
  });
});

test("any schedule of windows and answers delivers every body whole and in order", () => {
  const bodySizes = fc.array(fc.nat(70_000), { minLength: 1, maxLength: 6 });
  const updates = fc.array(fc.tuple(fc.nat(6), fc.integer({ min: 1, max: 40_000 })), {
    maxLength: 60,
  });
  fc.assert(
    fc.property(bodySizes, updates, fc.nat(70_000), (sizes, grants, initialWindow) => {
      const peer = new TestPeer();
      peer.send(frame(4, 0, 0, setting(4, initialWindow)));
      const bodies = sizes.map((size, i) => Buffer.alloc(size, i + 1));
      const received = new Map<number, Buffer[]>();
      const ended = new Set<number>();
      const windows = new Map<number, number>([[0, 65_535]]);
      const collect = (): void => {
        for (const seen of peer.take()) {
          if (seen.type === 0) {
            received.get(seen.streamId)!.push(seen.payload);
            for (const id of [0, seen.streamId])
              windows.set(id, windows.get(id)! - seen.payload.length);
          }
          if (seen.flags & 1 && seen.type < 2) ended.add(seen.streamId);
        }
        for (const left of windows.values()) expect(left).toBeGreaterThanOrEqual(0);
      };
      bodies.forEach((body, i) => {
        const id = i * 2 + 1;
        received.set(id, []);
        windows.set(id, initialWindow);
        peer.open(id, POST, true);
        answer(peer.requests[i]!, body);
      });
      const grant = (id: number, bytes: number): void => {
        windows.set(id, windows.get(id)! + bytes);
        peer.send(frame(8, 0, id, uint32(bytes)));
        collect();
      };
      collect();
      for (const [target, bytes] of grants)
        grant(target === 0 ? 0 : ((target - 1) % sizes.length) * 2 + 1, bytes);
      grant(0, 1_000_000);
      for (let i = 0; i < sizes.length; i++) grant(i * 2 + 1, 100_000);
      bodies.forEach((body, i) => {
        expect(Buffer.concat(received.get(i * 2 + 1)!).equals(body)).toBe(true);
        expect(ended.has(i * 2 + 1)).toBe(true);
      });
      expect(peer.connection.queuedBytes).toBe(0);
      expect(peer.connection.activeStreams).toBe(0);
    }),
    { numRuns: 60 },
  );
});

describe("floods end with ENHANCE_YOUR_CALM", () => {
  const flood = (peer: TestPeer, count: number, make: (i: number) => Buffer): void => {
    for (let i = 0; i < count && !peer.finished; i++) peer.send(make(i));
    expect(told(peer.take()).at(-1)).toStartWith(`GOAWAY ${CALM}`);
    expect(peer.connection.activeStreams).toBe(0);
  };

  test("CONTINUATION frames without end, full or empty", () => {
    const full = new TestPeer();
    full.send(frame(1, 0, 1, [0x82]));
    flood(full, 100, () => frame(9, 0, 1, Buffer.alloc(16_000, 0x82)));
    const empty = new TestPeer();
    empty.send(frame(1, 0, 1, [0x82]));
    flood(empty, 1000, () => frame(9, 0, 1));
  });

  test("SETTINGS", () => flood(new TestPeer(), 2000, () => frame(4, 0, 0)));
  test("PRIORITY", () => flood(new TestPeer(), 2000, () => frame(2, 0, 1, Buffer.alloc(5))));
  test("unknown frames", () => flood(new TestPeer(), 2000, () => frame(0x55, 0, 0)));
  test("PING acks", () => flood(new TestPeer(), 2000, () => frame(6, 1, 0, Buffer.alloc(8))));
  test("WINDOW_UPDATE", () => flood(new TestPeer(), 30_000, () => frame(8, 0, 0, uint32(1))));

  test("empty DATA", () => {
    const peer = new TestPeer();
    peer.open(1);
    flood(peer, 2000, () => frame(0, 0, 1));
  });

  test("rapid reset", () => {
    const peer = new TestPeer();
    const block = peer.blocks.block(POST);
    flood(peer, 30_000, (i) =>
      Buffer.concat([frame(1, 4, i * 2 + 1, block), frame(3, 0, i * 2 + 1, uint32(8))]),
    );
  });

  test("resets that the client makes us send", () => {
    const peer = new TestPeer();
    const block = peer.blocks.block(["bad", "request"]);
    flood(peer, 30_000, (i) => frame(1, 5, i * 2 + 1, block));
  });

  test("answers that are never read", () => {
    const peer = new TestPeer({ limits: { outputBytesMax: 100_000 } });
    peer.onNewRequest = (request) => answer(request, Buffer.alloc(0));
    const block = peer.blocks.block(POST);
    flood(peer, 100_000, (i) => frame(1, 5, i * 2 + 1, block));
    expect(peer.connection.out.position).toBeLessThan(200_000);
  });

  test("a budget refills with time", () => {
    const peer = new TestPeer();
    for (let i = 0; i < 20; i++) {
      for (let n = 0; n < 900; n++) peer.send(frame(2, 0, 1, Buffer.alloc(5)));
      peer.nowMs += 10_000;
    }
    expect(peer.finished).toBe(false);
  });
});
