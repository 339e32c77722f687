/** Snapshots over real sockets: whole, resumed, refused, throttled, damaged. */
import { afterEach, describe, expect, test } from "bun:test";
import * as net from "node:net";
import type { SnapshotMessage, SnapshotSink, SnapshotSource, SnapshotTransfer } from "./index.ts";
import { TestMember, type TestMemberOptions, until } from "./testing/test-members.ts";

const CHUNK_BYTES = 16 * 1024;
const cleanups: (() => unknown)[] = [];
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
});

async function start(options: TestMemberOptions): Promise<TestMember> {
  const limits = { snapshotChunkBytes: CHUNK_BYTES, ...options.limits };
  const member = await TestMember.start({ ...options, limits });
  cleanups.push(() => member.stop());
  return member;
}

class TestSource implements SnapshotSource {
  readonly bytes: Uint8Array;
  closed = 0;
  reads = 0;

  constructor(sizeBytes: number) {
    this.bytes = new Uint8Array(sizeBytes).map((_, i) => (i * 2654435761) >>> 13);
  }

  get sizeBytes(): number {
    return this.bytes.length;
  }

  read(offset: number, buffer: Uint8Array): number {
    this.reads++;
    const part = this.bytes.subarray(offset, offset + buffer.length);
    buffer.set(part);
    return part.length;
  }

  close(): void {
    this.closed++;
  }
}

/** Keeps what arrives by transfer, as the server does. */
class TestSink {
  readonly transfers: SnapshotTransfer[] = [];
  readonly kept = new Map<string, Uint8Array[]>();
  suspensions = 0;
  finished: ((accepted: boolean) => void) | null = null;
  verdict: boolean | null = true;
  onWrite: (received: number) => void = () => {};

  begin(transfer: SnapshotTransfer): SnapshotSink {
    this.transfers.push(transfer);
    const chunks = this.kept.get(transfer.id) ?? [];
    this.kept.set(transfer.id, chunks);
    const received = (): number => chunks.reduce((sum, chunk) => sum + chunk.length, 0);
    return {
      receivedBytes: received(),
      write: (chunk) => {
        chunks.push(new Uint8Array(chunk));
        this.onWrite(received());
      },
      finish: (done) => {
        this.finished = done;
        if (this.verdict !== null) done(this.verdict);
      },
      suspend: () => this.suspensions++,
    };
  }

  bytes(): Uint8Array {
    return Buffer.concat(this.kept.get(this.transfers.at(-1)!.id)!);
  }
}

/** Between two members; cuts connections when told, or never lets any bytes through. */
class CuttingProxy {
  readonly #server: net.Server;
  readonly #pairs = new Set<net.Socket>();
  connections = 0;

  constructor(port: number) {
    this.#server = net.createServer((near) => {
      this.connections++;
      const far = net.connect(port, "127.0.0.1");
      for (const socket of [near, far]) {
        this.#pairs.add(socket);
        socket.on("error", () => {});
        socket.on("close", () => {
          near.destroy();
          far.destroy();
        });
      }
      near.pipe(far);
      far.pipe(near);
    });
  }

  async listen(): Promise<string> {
    await new Promise<void>((resolve) => this.#server.listen(0, "127.0.0.1", resolve));
    cleanups.push(() => this.#server.close());
    cleanups.push(() => this.cut());
    return `http://127.0.0.1:${(this.#server.address() as net.AddressInfo).port}`;
  }

  cut(): void {
    for (const socket of this.#pairs) socket.destroy();
    this.#pairs.clear();
  }
}

function messageFor(from: TestMember, to: TestMember): SnapshotMessage {
  const configuration = { voters: [from.id, to.id], learners: [9n] };
  const snapshot = { index: 1234, term: 7, configuration };
  return { kind: "snapshot", from: from.id, to: to.id, term: 8, snapshot };
}

interface Setup {
  readonly a: TestMember;
  readonly b: TestMember;
  readonly proxy: CuttingProxy;
  readonly sink: TestSink;
}

async function setUp(limits: TestMemberOptions["limits"] = {}): Promise<Setup> {
  const [a, b] = [await start({ id: 1n, limits }), await start({ id: 2n, limits })];
  const proxy = new CuttingProxy(b.port);
  a.transport.setPeers([{ id: b.id, peerUrls: [await proxy.listen()] }]);
  b.transport.setPeers([a.address]);
  const sink = new TestSink();
  b.onSnapshot = (transfer) => sink.begin(transfer);
  await until(() => a.isConnectedTo(b) && b.isConnectedTo(a));
  return { a, b, proxy, sink };
}

/** Sends and waits for the outcome. */
async function send({ a, b }: Setup, source: TestSource, during?: () => void): Promise<boolean> {
  const outcomes: boolean[] = [];
  a.transport.sendSnapshot(messageFor(a, b), source, (arrived) => outcomes.push(arrived));
  expect(outcomes).toEqual([]);
  during?.();
  await until(() => outcomes.length > 0);
  expect(source.closed).toBe(1);
  return outcomes[0]!;
}

describe("a snapshot", () => {
  test.each([0, 1, CHUNK_BYTES, 40 * CHUNK_BYTES + 5])("of %p bytes arrives", async (sizeBytes) => {
    const setup = await setUp();
    const source = new TestSource(sizeBytes);
    expect(await send(setup, source)).toBe(true);
    expect(Buffer.compare(setup.sink.bytes(), source.bytes)).toBe(0);
    const [transfer] = setup.sink.transfers;
    expect(transfer).toMatchObject({ sizeBytes, message: messageFor(setup.a, setup.b) });
    expect(setup.a.transport.statistics()[0]!.counters.snapshotsSent).toBe(1);
    expect(setup.b.transport.statistics()[0]!.counters.snapshotsReceived).toBe(1);
    expect(setup.sink.suspensions).toBe(0);
  });

  test("goes on where it stopped when its connection breaks, again and again", async () => {
    const setup = await setUp();
    const source = new TestSource(60 * CHUNK_BYTES + 77);
    const cutsAt = [5, 20, 21, 50].map((chunks) => chunks * CHUNK_BYTES);
    setup.sink.onWrite = (received) => {
      if (received < (cutsAt[0] ?? Number.POSITIVE_INFINITY)) return;
      cutsAt.shift();
      setup.proxy.cut();
    };
    expect(await send(setup, source)).toBe(true);
    expect(Buffer.compare(setup.sink.bytes(), source.bytes)).toBe(0);
    expect(cutsAt).toEqual([]);
    expect(setup.sink.transfers.length).toBeGreaterThanOrEqual(4);
    expect(new Set(setup.sink.transfers.map(({ id }) => id)).size).toBe(1);
    expect(setup.sink.suspensions).toBe(setup.sink.transfers.length - 1);
    // What was under way when a connection broke is read again, and nothing else.
    expect(source.reads).toBeLessThan(61 + 4 * 9);
  });

  test("arrives although bytes that nobody needs change between two readings of them", async () => {
    const setup = await setUp();
    const source = new TestSource(60 * CHUNK_BYTES);
    const read = source.read.bind(source);
    let cuts = 0;
    source.read = (offset, buffer) => {
      const count = read(offset, buffer);
      buffer[count - 1] = source.reads;
      // While more is under way than what arrived.
      if (source.reads % 13 === 12 && cuts++ < 4) setup.proxy.cut();
      return count;
    };
    expect(await send(setup, source)).toBe(true);
    expect(source.reads).toBeGreaterThan(60);
  });

  test("whose verdict is lost with the connection is asked for again", async () => {
    const setup = await setUp();
    setup.sink.verdict = null;
    const source = new TestSource(3 * CHUNK_BYTES);
    const outcome = send(setup, source);
    await until(() => setup.sink.finished !== null);
    setup.proxy.cut();
    const before = setup.proxy.connections;
    await until(() => setup.proxy.connections >= before + 2);
    setup.sink.finished!(true);
    expect(await outcome).toBe(true);
    expect(setup.sink.transfers.length).toBe(1);
  });

  test("that is not taken, in the beginning or at the end, has not arrived", async () => {
    const setup = await setUp();
    setup.sink.verdict = false;
    expect(await send(setup, new TestSource(100))).toBe(false);
    setup.b.onSnapshot = () => null;
    expect(await send(setup, new TestSource(100))).toBe(false);
    const failures = setup.a.transport.statistics()[0]!.counters.snapshotSendFailures;
    expect(failures).toBe(2);
  });

  test("that got shorter, or whose receiver lost its beginning, has not arrived", async () => {
    const setup = await setUp();
    const source = new TestSource(10 * CHUNK_BYTES);
    source.read = () => 5;
    expect(await send(setup, source)).toBe(false);
    setup.sink.onWrite = (received) => {
      if (received !== 3 * CHUNK_BYTES) return;
      setup.sink.kept.get(setup.sink.transfers.at(-1)!.id)!.length = 1;
      setup.proxy.cut();
    };
    expect(await send(setup, new TestSource(10 * CHUNK_BYTES))).toBe(false);
  });

  test("is given up when nothing moves, or the member is none any more", async () => {
    const setup = await setUp({ snapshotStallMs: 150 });
    setup.b.transport.stop();
    expect(await send(setup, new TestSource(100))).toBe(false);
    const other = await setUp();
    other.sink.verdict = null;
    const sending = send(other, new TestSource(100));
    await until(() => other.sink.finished !== null);
    other.a.transport.setPeers([]);
    expect(await sending).toBe(false);
    const unknown = { ...other, b: { ...other.b, id: 77n } as TestMember };
    expect(await send(unknown, new TestSource(100))).toBe(false);
  });

  test("keeps to its rate, and lets messages through meanwhile", async () => {
    const rate = 40 * CHUNK_BYTES;
    const setup = await setUp({ snapshotBytesPerSecond: rate });
    const source = new TestSource(20 * CHUNK_BYTES);
    const startMs = performance.now();
    let beats = 0;
    setup.sink.onWrite = () => {
      setup.a.transport.send([setup.a.beat(setup.b.id, beats++)]);
    };
    expect(await send(setup, source)).toBe(true);
    // Half a second's worth, of which a tenth of a second may go ahead.
    expect(performance.now() - startMs).toBeGreaterThan(350);
    await until(() => setup.b.messages.length === beats);
  });

  test("that replaces another one of the same sender ends the other", async () => {
    const setup = await setUp({ snapshotBytesPerSecond: 20 * CHUNK_BYTES });
    const outcomes: boolean[] = [];
    const [first, second] = [new TestSource(40 * CHUNK_BYTES), new TestSource(2 * CHUNK_BYTES)];
    const message = messageFor(setup.a, setup.b);
    setup.a.transport.sendSnapshot(message, first, (arrived) => outcomes.push(arrived));
    await until(() => setup.sink.transfers.length === 1);
    setup.a.transport.sendSnapshot(message, second, (arrived) => outcomes.push(arrived));
    await until(() => outcomes.length > 0);
    expect(setup.sink.suspensions).toBeGreaterThan(0);
  });

  test("stop closes the source and calls nobody", async () => {
    const setup = await setUp({ snapshotBytesPerSecond: 10 * CHUNK_BYTES });
    const source = new TestSource(100 * CHUNK_BYTES);
    let calls = 0;
    setup.a.transport.sendSnapshot(messageFor(setup.a, setup.b), source, () => calls++);
    await until(() => setup.sink.transfers.length === 1);
    setup.a.transport.stop();
    await until(() => setup.sink.suspensions === 1);
    expect([source.closed, calls]).toEqual([1, 0]);
  });
});
