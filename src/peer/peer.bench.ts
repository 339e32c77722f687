/**
 * What messages cost: `bun src/peer/peer.bench.ts`. Codec alone, then two transports over loopback in two processes:
 * messages per second, megabytes per second, processor time of both sides per message.
 */
import { BunClock, BunRandom } from "../io/bun/index.ts";
import { silentLogger } from "../io/index.ts";
import type { Entry, Message } from "../raft/index.ts";
import { FrameWriter } from "./frame.ts";
import { FrameReader } from "./frame-reader.ts";
import { SocketPeerTransport } from "./index.ts";
import { readMessage, writeMessage } from "./message-codec.ts";
import { TEST_LEASE, TestMember } from "./testing/test-members.ts";

const SECONDS = 2;
const SHAPES = [
  { entries: 1, bytes: 300 },
  { entries: 30, bytes: 300 },
  { entries: 100, bytes: 300 },
  { entries: 1, bytes: 1_000_000 },
];

function append(from: bigint, to: bigint, count: number, bytes: number): Message {
  const data = new Uint8Array(bytes).fill(7);
  const entries: Entry[] = Array.from({ length: count }, (_, i) => ({
    ...{ term: 3, index: 1000 + i, kind: 0, data },
  }));
  return {
    kind: "append",
    from,
    to,
    term: 3,
    previousIndex: 999,
    previousTerm: 3,
    commit: 9,
    entries,
  };
}

function codec(): void {
  for (const { entries, bytes } of SHAPES) {
    const message = append(1n, 2n, entries, bytes);
    const writer = new FrameWriter();
    let read = 0;
    const reader = new FrameReader(1 << 26, (kind, body) => {
      if (readMessage(kind, body, 1n, 2n) !== null) read++;
      return null;
    });
    const timed = (rounds: number, run: () => void): number => {
      for (let i = 0; i < rounds / 10; i++) run();
      const start = performance.now();
      for (let i = 0; i < rounds; i++) run();
      return ((performance.now() - start) * 1e6) / rounds;
    };
    const rounds = Math.min(100_000, 5e8 / (entries * (bytes + 100)));
    const write = timed(rounds, () => {
      writer.length = 0;
      writeMessage(message, writer);
    });
    const decode = timed(rounds, () => reader.feed(writer.done()));
    const each = (ns: number): string =>
      `${(ns / 1000).toFixed(2)} us (${(ns / entries).toFixed(0)} ns an entry)`;
    console.log(
      `codec ${entries} x ${bytes} B: write ${each(write)}, read ${each(decode)}; ${read}`,
    );
  }
}

async function transports(): Promise<void> {
  const receiver = Bun.spawn([process.execPath, import.meta.path, "receive"], {
    stdout: "pipe",
    stdin: "pipe",
  });
  const reader = receiver.stdout.getReader();
  const { value } = await reader.read();
  const url = new TextDecoder().decode(value).trim();
  for (const { entries, bytes } of SHAPES) await run(url, entries, bytes);
  receiver.stdin.end();
  const rest = await reader.read();
  console.log(new TextDecoder().decode(rest.value ?? new Uint8Array(0)).trim());
  await receiver.exited;
}

async function run(url: string, entries: number, bytes: number): Promise<void> {
  const sender = new SocketPeerTransport({
    ...{ clock: new BunClock(), random: new BunRandom(), logger: silentLogger },
    ...{ serverVersion: "3.7.1", advertisedPeerUrls: ["http://127.0.0.1:1"] },
    leaseSettings: TEST_LEASE,
  });
  sender.identify(1n, 7n);
  let dropped = 0;
  sender.start({
    receive: () => {},
    unreachable: () => dropped++,
    beginSnapshot: () => null,
    request: () => {},
    removed: () => {},
  });
  sender.setPeers([{ id: 2n, peerUrls: [url] }]);
  while (Number.isNaN(sender.activeSinceMs(2n))) await Bun.sleep(1);
  const batch = Array.from({ length: 8 }, () => append(1n, 2n, entries, bytes));
  const before = process.cpuUsage();
  const start = performance.now();
  let sent = 0;
  while (performance.now() - start < SECONDS * 1000) {
    if (sender.statistics()[0]!.queuedBytes < 8_000_000) {
      sender.send(batch);
      sent += batch.length;
    }
    await new Promise<void>((resolve) => setImmediate(resolve));
  }
  const done = new Promise<string>((resolve) =>
    sender.request(2n, "count", new Uint8Array(0), 10_000, (answer) =>
      resolve(answer === null ? "?" : new TextDecoder().decode(answer.body)),
    ),
  );
  const received = await done;
  const seconds = (performance.now() - start) / 1000;
  const cpu = process.cpuUsage(before);
  const megabytes = (sent * entries * bytes) / 1e6;
  console.log(
    `loopback ${entries} x ${bytes} B: ${(sent / seconds).toFixed(0)} messages/s, ` +
      `${((sent * entries) / seconds).toFixed(0)} entries/s, ${(megabytes / seconds).toFixed(0)} MB/s, ` +
      `sender ${((cpu.user + cpu.system) / sent).toFixed(1)} us a message, ` +
      `round trip ${sender.roundTripMs(2n).toFixed(1)} ms, receiver since last: ${received}, dropped ${dropped}`,
  );
  sender.stop();
}

async function receive(): Promise<void> {
  const member = await TestMember.start({
    id: 2n,
    clusterId: 7n,
    limits: { checkIntervalMs: 500 },
  });
  let messages = 0;
  let cpu = process.cpuUsage();
  member.receive = (batch) => {
    messages += batch.length;
  };
  member.transport.setPeers([]);
  member.onRequest = (_body, respond) => {
    const used = process.cpuUsage(cpu);
    const text = `${messages} messages, ${((used.user + used.system) / messages).toFixed(1)} us each`;
    messages = 0;
    cpu = process.cpuUsage();
    respond({ status: 0, body: new TextEncoder().encode(text) });
  };
  console.log(member.url);
  for await (const _ of Bun.stdin.stream());
  await member.stop();
}

if (process.argv[2] === "receive") await receive();
else {
  codec();
  await transports();
}
