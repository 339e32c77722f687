/**
 * Cost of telling watchers, by hand: `bun src/server/watch-service.bench.ts`. Everything of the watch service
 * runs, up to the call's sendEncoded; the connection below it is a counter.
 */
import type { CallContext, RequestStream, StreamCall, WatchRequest } from "../api/index.ts";
import { decodeWatchRequest, encodeWatchRequest, ProtoWriter } from "../api/index.ts";
import { utf8 } from "../base/bytes.ts";
import { MemoryChangeSource } from "../mvcc/watch/change-source-model.ts";
import { WatchHub } from "../mvcc/watch/index.ts";
import { WatchServer } from "./watch-service.ts";
import { FakeClock } from "./watch-service-fakes.ts";

let messages = 0;
let bytesSent = 0;

class CountingCall implements StreamCall<unknown>, RequestStream<WatchRequest> {
  readonly context = { requireLeader: false } as CallContext;
  readonly aborted = false;
  readonly queuedBytes = 0;
  message: (request: WatchRequest) => void = () => {};
  send(): boolean {
    return true;
  }
  sendEncoded(bytes: Uint8Array): boolean {
    messages++;
    bytesSent += bytes.length;
    return true;
  }
  onMessage(listener: (request: WatchRequest) => void): void {
    this.message = listener;
  }
  end(): void {}
  fail(): void {}
  onDrain(): void {}
  onAbort(): void {}
  onEnd(): void {}
  pause(): void {}
  resume(): void {}
}

interface Scene {
  readonly name: string;
  readonly watchers: number;
  readonly oneStream?: boolean;
  readonly previous?: boolean;
  readonly key: (index: number) => string;
  readonly rangeEnd?: (index: number) => string;
  /** The key of the n-th write. */
  readonly write: (turn: number) => string;
  readonly startRevision?: number;
}

const pad = (index: number) => String(index).padStart(6, "0");
const SCENES: Scene[] = [
  { name: "10,000 streams, one key", watchers: 10_000, key: () => "k", write: () => "k" },
  {
    name: "10,000 streams, one key, prev_kv",
    watchers: 10_000,
    previous: true,
    key: () => "k",
    write: () => "k",
  },
  {
    name: "10,000 watchers of one stream, one key",
    watchers: 10_000,
    oneStream: true,
    key: () => "k",
    write: () => "k",
  },
  {
    name: "1,000 streams, one prefix",
    watchers: 1000,
    key: () => "/registry/pods/",
    rangeEnd: () => "/registry/pods0",
    write: (turn) => `/registry/pods/default/pod-${pad(turn % 500)}`,
  },
  {
    name: "10,000 prefixes, one match per write",
    watchers: 10_000,
    key: (index) => `/registry/${pad(index)}/`,
    rangeEnd: (index) => `/registry/${pad(index)}0`,
    write: (turn) => `/registry/${pad((turn * 7919) % 10_000)}/name`,
  },
  {
    name: "10,000 keys watched, no match",
    watchers: 10_000,
    key: (index) => pad(index),
    write: () => "elsewhere",
  },
];

const RUN_MS = 1500;

function run(scene: Scene): void {
  const source = new MemoryChangeSource();
  const hub = new WatchHub(source);
  const server = new WatchServer({
    hub,
    clock: new FakeClock(),
    random: { uint32: () => 1, fill: () => {} },
    background: { add: () => {} },
    headers: { header: (revision) => ({ cluster_id: 1n, member_id: 2n, revision, raft_term: 3 }) },
    permission: () => null,
    limits: {
      progressNotifyIntervalMs: 600_000,
      fragmentBytesMax: 2 << 20,
      streamQueueBytesMax: 1 << 20,
      watchersPerStreamMax: 100_000,
    },
  });
  let call: CountingCall | undefined;
  for (let index = 0; index < scene.watchers; index++) {
    if (call === undefined || !scene.oneStream) {
      call = new CountingCall();
      server.watch(call, call);
    }
    const writer = new ProtoWriter();
    const rangeEnd = scene.rangeEnd && utf8(scene.rangeEnd(index));
    encodeWatchRequest(writer, {
      create_request: {
        key: utf8(scene.key(index)),
        range_end: rangeEnd,
        prev_kv: scene.previous ?? false,
      },
    });
    call.message(decodeWatchRequest(writer.finish()));
  }
  const value = new Uint8Array(256);
  let notifyMs = 0;
  let writes = 0;
  const turn = () => {
    const batch = source.commit([{ key: utf8(scene.write(writes++)), value }])!;
    const started = performance.now();
    hub.notify(batch);
    notifyMs += performance.now() - started;
  };
  for (let warm = 0; warm < 50; warm++) turn();
  notifyMs = writes = messages = bytesSent = 0;
  const stop = performance.now() + RUN_MS;
  while (performance.now() < stop) turn();
  const perEvent = messages === 0 ? "-" : ((notifyMs * 1e6) / messages).toFixed(0);
  const perWrite = ((notifyMs * 1e3) / writes).toFixed(2);
  console.log(
    `${scene.name.padEnd(42)} ${perEvent.padStart(6)} ns/event ${perWrite.padStart(9)} us/write ` +
      `${String(messages).padStart(9)} events`,
  );
}

for (const scene of SCENES) run(scene);
