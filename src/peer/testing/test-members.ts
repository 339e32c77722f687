/** Members that are nothing but a transport behind a real listener, and remember what reached them. */
import { Listener } from "../../http/index.ts";
import { BunClock, BunRandom } from "../../io/bun/index.ts";
import type { LogFields, Logger } from "../../io/index.ts";
import type { Message } from "../../raft/index.ts";
import type { TlsFiles } from "../../tls/index.ts";
import {
  type LeaseSettings,
  PEER_PATH,
  type PeerAddress,
  type PeerAnswer,
  type PeerEvents,
  type PeerLimits,
  type SnapshotSink,
  type SnapshotTransfer,
  SocketPeerTransport,
} from "../index.ts";

export const CLUSTER = 0xcafe_0000_0000_0001n;

/** Quick enough for tests. */
export const TEST_LIMITS: Partial<PeerLimits> = {
  dialTimeoutMs: 500,
  backoffMsMin: 5,
  backoffMsMax: 50,
  checkIntervalMs: 20,
  silentChecksMax: 25,
};

export const TEST_LEASE: LeaseSettings = {
  readMode: "lease",
  electionTimeoutMs: 1000,
  heartbeatIntervalMs: 100,
};

export interface TestMemberOptions {
  readonly id: bigint;
  readonly clusterId?: bigint;
  readonly serverVersion?: string;
  readonly tls?: TlsFiles;
  readonly limits?: Partial<PeerLimits>;
  readonly lease?: Partial<LeaseSettings>;
}

export class TestMember implements PeerEvents {
  readonly id: bigint;
  readonly transport: SocketPeerTransport;
  readonly messages: Message[] = [];
  /** How many messages each call of `receive` had. */
  readonly batches: number[] = [];
  readonly unreachableMembers: bigint[] = [];
  removals = 0;
  readonly log: [text: string, fields: LogFields | undefined][];
  /** Tests replace these. */
  onRequest: (body: Uint8Array, respond: (answer: PeerAnswer) => void) => void = (body, respond) =>
    respond({ status: 0, body });
  onSnapshot: (transfer: SnapshotTransfer) => SnapshotSink | null = () => null;
  readonly #listener: Listener;
  readonly #scheme: string;

  private constructor(options: TestMemberOptions, transport: SocketPeerTransport, log: TestLog) {
    this.id = options.id;
    this.transport = transport;
    this.log = log.lines;
    this.#scheme = options.tls === undefined ? "http" : "https";
    this.#listener = makeListener(options, transport, log);
  }

  static async start(options: TestMemberOptions): Promise<TestMember> {
    const log = new TestLog();
    const urls: string[] = [];
    const transport = new SocketPeerTransport({
      clock: new BunClock(),
      random: new BunRandom(),
      logger: log,
      serverVersion: options.serverVersion ?? "3.7.1",
      advertisedPeerUrls: urls,
      leaseSettings: { ...TEST_LEASE, ...options.lease },
      peerTls: options.tls,
      limits: { ...TEST_LIMITS, ...options.limits },
    });
    const member = new TestMember(options, transport, log);
    await member.#listener.start();
    urls.push(member.url);
    transport.identify(options.id, options.clusterId ?? CLUSTER);
    transport.start(member);
    return member;
  }

  get port(): number {
    return (this.#listener.address as { port: number }).port;
  }

  get url(): string {
    return `${this.#scheme}://127.0.0.1:${this.port}`;
  }

  get address(): PeerAddress {
    return { id: this.id, peerUrls: [this.url] };
  }

  isConnectedTo(other: { readonly id: bigint }): boolean {
    return !Number.isNaN(this.transport.activeSinceMs(other.id));
  }

  /** A harmless message from here. */
  beat(to: bigint, tick: number): Message {
    return { kind: "heartbeat", from: this.id, to, term: 1, commit: 0, readRound: 0, tick };
  }

  async stop(): Promise<void> {
    this.transport.stop();
    await this.#listener.stop(0);
  }

  receive(messages: readonly Message[]): void {
    this.batches.push(messages.length);
    this.messages.push(...messages);
  }

  unreachable(member: bigint): void {
    this.unreachableMembers.push(member);
  }

  beginSnapshot(transfer: SnapshotTransfer): SnapshotSink | null {
    return this.onSnapshot(transfer);
  }

  request(
    _from: bigint,
    _name: string,
    body: Uint8Array,
    respond: (answer: PeerAnswer) => void,
  ): void {
    this.onRequest(body, respond);
  }

  removed(): void {
    this.removals++;
  }
}

class TestLog implements Logger {
  readonly lines: [string, LogFields | undefined][] = [];
  debug(): void {}
  info = (text: string, fields?: LogFields) => void this.lines.push([text, fields]);
  warn = this.info;
  error = this.info;
}

function makeListener(
  { tls }: TestMemberOptions,
  transport: SocketPeerTransport,
  logger: Logger,
): Listener {
  return new Listener({
    clock: new BunClock(),
    logger,
    url: `${tls === undefined ? "http" : "https"}://127.0.0.1:0`,
    ...(tls === undefined ? {} : { tls }),
    name: "peer",
    fetch: () => new Response("404 page not found\n", { status: 404 }),
    upgrade: {
      path: PEER_PATH,
      accept: (request, socket, head) => transport.accept(request, socket, head),
    },
  });
}

/** Waits until it holds. */
export async function until(condition: () => boolean, timeoutMs = 5000): Promise<void> {
  const endMs = performance.now() + timeoutMs;
  while (!condition()) {
    if (performance.now() > endMs) throw new Error(`not within ${timeoutMs} ms: ${condition}`);
    await new Promise((resolve) => setTimeout(resolve, 2));
  }
}
