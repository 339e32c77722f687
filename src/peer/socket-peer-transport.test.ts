/** Whole transports over real sockets on loopback. */
import { afterEach, describe, expect, test } from "bun:test";
import * as net from "node:net";
import type { Message } from "../raft/index.ts";
import { helloFields, ownHello, PEER_PATH } from "./hello.ts";
import { requestHead } from "./http-head.ts";
import type { PeerAnswer } from "./index.ts";
import { RawPeer } from "./testing/raw-peer.ts";
import { CLUSTER, TestMember, type TestMemberOptions, until } from "./testing/test-members.ts";

const cleanups: (() => unknown)[] = [];
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
});

async function start(options: TestMemberOptions): Promise<TestMember> {
  const member = await TestMember.start(options);
  cleanups.push(() => member.stop());
  return member;
}

async function pair(options: Partial<TestMemberOptions> = {}): Promise<[TestMember, TestMember]> {
  const a = await start({ ...options, id: 0xa000_0000_0000_000an });
  const b = await start({ ...options, id: 0xbn });
  join(a, b);
  await until(() => a.isConnectedTo(b) && b.isConnectedTo(a));
  return [a, b];
}

function join(...members: TestMember[]): void {
  for (const member of members) member.transport.setPeers(members.map((each) => each.address));
}

const texts = (member: TestMember): string[] => member.log.map(([text]) => text);

function append(from: TestMember, to: TestMember, index: number, bytes: number): Message {
  const entry = { term: 1, index, kind: 0, data: new Uint8Array(bytes).fill(index) };
  return {
    ...{ kind: "append", from: from.id, to: to.id, term: 1, previousIndex: index - 1 },
    ...{ previousTerm: 1, commit: 0, entries: [entry] },
  };
}

describe("leaseObstacle", () => {
  test("is none between members with the same settings, and says what differs, to both", async () => {
    const [a, b] = await pair();
    expect([a.transport.leaseObstacle(b.id), b.transport.leaseObstacle(a.id)]).toEqual([
      null,
      null,
    ]);
    expect(a.transport.leaseObstacle(3n)).toBe("it has not been met since this member started");
    const c = await start({ id: 3n, lease: { readMode: "safe" } });
    const d = await start({ id: 4n, lease: { electionTimeoutMs: 2000 } });
    join(a, c, d);
    await until(() => a.isConnectedTo(c) && a.isConnectedTo(d) && d.isConnectedTo(a));
    expect(a.transport.leaseObstacle(c.id)).toBe("it does not run in lease mode");
    expect(a.transport.leaseObstacle(d.id)).toContain("election timeout is 2000 ms, not 1000 ms");
    expect(d.transport.leaseObstacle(a.id)).toContain("election timeout is 1000 ms, not 2000 ms");
  });

  test("is what the member said last, by either connection; a lost one changes nothing", async () => {
    const [a, b] = await pair();
    await b.stop();
    await until(() => !a.isConnectedTo(b));
    expect(a.transport.leaseObstacle(b.id)).toBeNull();
    // Nobody listens at b's address: it is met only because it dials.
    const again = await start({ id: b.id, lease: { heartbeatIntervalMs: 50 } });
    again.transport.setPeers([a.address]);
    await until(() => a.transport.leaseObstacle(b.id) !== null);
    expect(a.transport.leaseObstacle(b.id)).toContain("heartbeat interval is 50 ms, not 100 ms");
    // A member that knows nothing of it, and has gone at once.
    await again.stop();
    const raw = await RawPeer.dial(a, b.id, "messages");
    expect(a.transport.leaseObstacle(b.id)).toBe("it does not run in lease mode");
    raw.socket.destroy();
  });
});

describe("messages", () => {
  test("arrive in order, those sent together together, both ways", async () => {
    const [a, b] = await pair();
    const out = Array.from({ length: 100 }, (_, i) =>
      i % 2 === 0 ? append(a, b, i + 1, 300) : a.beat(b.id, i),
    );
    a.transport.send(out);
    b.transport.send([b.beat(a.id, 7)]);
    await until(() => b.messages.length === 100 && a.messages.length === 1);
    expect(a.messages).toEqual([b.beat(a.id, 7)]);
    // Small ones go ahead; each lane keeps its order.
    expect(b.messages).toEqual([
      ...out.filter(({ kind }) => kind === "heartbeat"),
      ...out.filter(({ kind }) => kind === "append"),
    ]);
    expect(b.batches).toEqual([100]);
  });

  test("large ones arrive whole", async () => {
    const [a, b] = await pair();
    const large = append(a, b, 1, 5_000_000);
    a.transport.send([large, append(a, b, 2, 10)]);
    await until(() => b.messages.length === 2);
    expect(Bun.deepEquals(b.messages[0], large)).toBe(true);
  });

  test("to members that are unknown or away are dropped, and the latter are reported", async () => {
    const a = await start({ id: 1n });
    a.transport.setPeers([{ id: 2n, peerUrls: ["http://127.0.0.1:1"] }]);
    a.transport.send([a.beat(2n, 1), a.beat(2n, 2), a.beat(3n, 3)]);
    expect(a.unreachableMembers).toEqual([]);
    await until(() => a.unreachableMembers.length > 0);
    expect(a.unreachableMembers).toEqual([2n]);
    await until(() => texts(a).includes("failed to reach peer"));
  });

  test("round trips are measured and bytes are counted", async () => {
    const [a, b] = await pair();
    await until(() => a.transport.roundTripMs(b.id) >= 0);
    expect(a.transport.roundTripMs(b.id)).toBeLessThan(1000);
    a.transport.send([append(a, b, 1, 10_000)]);
    await until(() => a.transport.statistics()[0]!.counters.sentBytes > 10_000);
    await until(() => b.transport.statistics()[0]!.counters.receivedBytes > 10_000);
    const [row] = a.transport.statistics();
    expect(row).toMatchObject({ member: b.id, isActive: true, queuedMessages: 0 });
    expect(row!.counters.roundTripSeconds.count).toBeGreaterThan(0);
    expect(Number.isNaN(a.transport.activeSinceMs(99n))).toBe(true);
  });
});

describe("connections", () => {
  test("a member that comes back is reached again, at its new URL", async () => {
    const [a, b] = await pair();
    await b.stop();
    await until(() => !a.isConnectedTo(b));
    await until(() => a.unreachableMembers.includes(b.id));
    expect(texts(a)).toContain("peer became inactive (message send to peer failed)");
    const again = await start({ id: b.id });
    join(a, again);
    await until(() => a.isConnectedTo(again) && again.isConnectedTo(a));
    a.transport.send([a.beat(b.id, 5)]);
    await until(() => again.messages.length === 1);
    expect(a.transport.statistics()[0]!.counters.disconnects).toBe(1);
  });

  test("a member that dials is dialed at once, whatever was tried before", async () => {
    // Takes connections and says nothing: the attempt hangs until its timeout.
    const hole = net.createServer((socket) => socket.on("error", () => {}));
    await new Promise<void>((resolve) => hole.listen(0, "127.0.0.1", resolve));
    cleanups.push(() => hole.close());
    const { port } = hole.address() as net.AddressInfo;
    const limits = { dialTimeoutMs: 60_000, backoffMsMin: 60_000, backoffMsMax: 60_000 };
    const a = await start({ id: 1n, limits });
    const b = await start({ id: 2n });
    a.transport.setPeers([{ id: b.id, peerUrls: [`http://127.0.0.1:${port}`] }]);
    await new Promise((resolve) => setTimeout(resolve, 250));
    let dials = 0;
    hole.on("connection", () => dials++);
    b.transport.setPeers([a.address]);
    await until(() => dials === 1);
    // And one that waits after a failure: nobody is there, then the member comes.
    const c = await start({ id: 3n });
    a.transport.setPeers([{ id: c.id, peerUrls: ["http://127.0.0.1:1", c.url] }]);
    await until(() => texts(a).includes("failed to reach peer"));
    c.transport.setPeers([a.address]);
    await until(() => a.isConnectedTo(c));
  });

  test("the URLs of a member are tried in turn", async () => {
    const [a, b] = [await start({ id: 1n }), await start({ id: 2n })];
    const peerUrls = ["http://127.0.0.1:1", "nonsense", b.url];
    a.transport.setPeers([{ id: b.id, peerUrls }]);
    await until(() => a.isConnectedTo(b));
  });

  test("a member that is no longer one is left, after what was sent to it", async () => {
    const [a, b] = await pair();
    a.transport.send([a.beat(b.id, 9)]);
    a.transport.setPeers([]);
    await until(() => b.messages.length === 1 && !b.isConnectedTo(a));
    expect(a.isConnectedTo(b)).toBe(false);
    expect(a.transport.statistics()).toEqual([]);
  });

  test("a connection on which nothing comes any more is given up", async () => {
    const silent = net.createServer((socket) => {
      socket.on("error", () => {});
      socket.once("data", () =>
        socket.write("HTTP/1.1 101 Switching Protocols\r\nCairn-Protocol: 1\r\n\r\n"),
      );
    });
    await new Promise<void>((resolve) => silent.listen(0, "127.0.0.1", resolve));
    cleanups.push(() => silent.close());
    const a = await start({ id: 1n, limits: { silentChecksMax: 3 } });
    const { port } = silent.address() as net.AddressInfo;
    a.transport.setPeers([{ id: 2n, peerUrls: [`http://127.0.0.1:${port}`] }]);
    await until(() => a.unreachableMembers.includes(2n));
    expect(a.log.some(([, fields]) => fields?.error === "the member does not answer")).toBe(true);
  });

  test("a member that does not read costs a bounded queue and is reported", async () => {
    const deaf = net.createServer((socket) => {
      socket.on("error", () => {});
      socket.once("data", () => {
        socket.write("HTTP/1.1 101 Switching Protocols\r\nCairn-Protocol: 1\r\n\r\n");
        socket.pause();
      });
    });
    await new Promise<void>((resolve) => deaf.listen(0, "127.0.0.1", resolve));
    cleanups.push(() => deaf.close());
    const { port } = deaf.address() as net.AddressInfo;
    const limits = { bulkBytesMax: 4_000_000, bulkMessagesMax: 100, urgentMessagesMax: 200 };
    const a = await start({ id: 1n, limits: { ...limits, silentChecksMax: 1000 } });
    a.transport.setPeers([{ id: 2n, peerUrls: [`http://127.0.0.1:${port}`] }]);
    const b = { id: 2n } as TestMember;
    await until(() => a.isConnectedTo(b));
    for (let i = 1; i <= 400; i++) {
      a.transport.send([append(a, b, i, 100_000), a.beat(2n, i)]);
      if (i % 20 === 0) await new Promise((resolve) => setTimeout(resolve, 1));
    }
    await until(() => a.unreachableMembers.length > 0);
    const row = () => a.transport.statistics()[0]!;
    expect(row().queuedMessages).toBeLessThanOrEqual(300);
    // The lane, and what is with the socket: one write of 256 KiB and the frame that crosses it.
    expect(row().queuedBytes).toBeLessThan(4_000_000 + 200 * 100 + 600_000);
    expect(row().counters.sendFailures).toBeGreaterThan(0);
  });
});

describe("requests", () => {
  test("are answered with their own answer, in any order", async () => {
    const [a, b] = await pair();
    const held: (() => void)[] = [];
    b.onRequest = (body, respond) => {
      const bytes = new Uint8Array(body);
      held.push(() => respond({ status: bytes[0]!, body: bytes }));
    };
    const answers: (PeerAnswer | null)[] = [];
    for (let i = 0; i < 3; i++) {
      a.transport.request(b.id, "echo", Uint8Array.of(i, 9), 5000, (answer) => {
        answers[i] = answer;
      });
    }
    await until(() => held.length === 3);
    for (const answer of held.reverse()) answer();
    await until(() => answers.filter(Boolean).length === 3);
    expect(answers.map((answer) => answer?.status)).toEqual([0, 1, 2]);
    expect(answers[2]!.body).toEqual(Uint8Array.of(2, 9));
  });

  test("end without an answer by time, by a lost connection, and where there is none", async () => {
    const [a, b] = await pair();
    b.onRequest = () => {};
    const outcomes: string[] = [];
    const ask = (name: string, to: bigint, timeoutMs: number): void =>
      a.transport.request(to, "x", new Uint8Array(0), timeoutMs, (answer) => {
        outcomes.push(`${name} ${answer}`);
      });
    ask("unknown", 77n, 1000);
    expect(outcomes).toEqual([]);
    await until(() => outcomes.length === 1);
    ask("late", b.id, 60);
    await until(() => outcomes.length === 2);
    ask("lost", b.id, 60_000);
    await b.stop();
    await until(() => outcomes.length === 3);
    expect(outcomes).toEqual(["unknown null", "late null", "lost null"]);
  });

  test("beyond the bound fail at once", async () => {
    const [a, b] = await pair({ limits: { requestsMax: 2 } });
    b.onRequest = () => {};
    let refused = 0;
    for (let i = 0; i < 5; i++) {
      a.transport.request(b.id, "x", new Uint8Array(0), 60_000, () => refused++);
    }
    await until(() => refused === 3);
  });
});

describe("who is let in", () => {
  test("a member of another cluster is refused with the cause, logged once", async () => {
    const a = await start({ id: 1n });
    const b = await start({ id: 2n, clusterId: 5n });
    join(a, b);
    await until(() => texts(a).includes("request cluster ID mismatch"));
    await until(() =>
      b.log.some(([, fields]) => `${fields?.error}`.includes("cluster ID mismatch")),
    );
    await new Promise((resolve) => setTimeout(resolve, 100));
    expect(texts(a).filter((text) => text === "request cluster ID mismatch").length).toBe(1);
    expect(texts(b).filter((text) => text === "failed to reach peer").length).toBe(1);
    expect(a.isConnectedTo(b) || b.isConnectedTo(a)).toBe(false);
    const fields = a.log.find(([text]) => text === "request cluster ID mismatch")![1]!;
    expect(fields).toMatchObject({
      "local-member-id": "1",
      "local-member-cluster-id": CLUSTER.toString(16),
      "remote-peer-server-name": "2",
      "remote-peer-cluster-id": "5",
    });
  });

  test("a removed member is told, once", async () => {
    const [a, b] = await pair();
    a.transport.setPeers([]);
    a.transport.setRemoved([b.id]);
    await until(() => b.removals > 0);
    await new Promise((resolve) => setTimeout(resolve, 80));
    expect(b.removals).toBe(1);
    expect(a.removals).toBe(0);
  });

  test("another member at the address, and an older version", async () => {
    const [a, b] = [await start({ id: 1n }), await start({ id: 2n, serverVersion: "3.6.4" })];
    a.transport.setPeers([{ id: 3n, peerUrls: [b.url] }]);
    await until(() => a.log.some(([, f]) => `${f?.error}`.includes("member ID mismatch")));
    b.transport.setPeers([a.address]);
    await until(() => b.log.some(([, f]) => `${f?.error}`.includes("(3.6.4 is too old)")));
    expect(b.removals).toBe(0);
  });

  test("a member of the cluster that is not known here is let in and answered", async () => {
    const [lagging, added] = [await start({ id: 1n }), await start({ id: 2n })];
    added.transport.setPeers([lagging.address]);
    await until(() => added.isConnectedTo(lagging) && lagging.isConnectedTo(added));
    lagging.transport.send([lagging.beat(added.id, 3)]);
    await until(() => added.messages.length === 1);
    added.transport.setPeers([]);
    await until(() => !lagging.isConnectedTo(added));
    expect(lagging.transport.statistics()).toEqual([]);
  });

  test("a peer's address where something else answers, such as a real etcd", async () => {
    const a = await start({ id: 1n });
    const other = Bun.serve({
      hostname: "127.0.0.1",
      port: 0,
      fetch: () => new Response("404 page not found\n", { status: 404 }),
    });
    cleanups.push(() => other.stop(true));
    a.transport.setPeers([{ id: 2n, peerUrls: [`http://127.0.0.1:${other.port}`] }]);
    const wanted = "no cairn member answers there: 404 404 page not found";
    await until(() => a.log.some(([, f]) => `${f?.error}`.endsWith(wanted)));
  });

  test("a listener whose transport has stopped says so", async () => {
    const a = await start({ id: 1n });
    a.transport.stop();
    const b = await start({ id: 2n });
    b.transport.setPeers([a.address]);
    await until(() => b.log.some(([, f]) => `${f?.error}`.includes("503 the member is not ready")));
  });

  test("garbage is answered or cut off, and harms nobody", async () => {
    const [a, b] = await pair();
    const hello = ownHello({
      ...{ clusterId: CLUSTER, from: 5n, to: a.id, channel: "messages" as const },
      ...{ serverVersion: "3.7.1", peerUrls: [b.url], lease: null },
    });
    const good = requestHead(PEER_PATH, "x", helloFields(hello));
    const speak = (bytes: Uint8Array | string): Promise<string> =>
      new Promise((resolve) => {
        let answer = "";
        const socket = net.connect(a.port, "127.0.0.1", () => socket.write(bytes));
        socket.on("data", (chunk) => {
          answer += chunk.toString("latin1");
        });
        socket.on("error", () => {});
        socket.on("close", () => resolve(answer));
        setTimeout(() => socket.destroy(), 1500);
      });
    const noise = new Uint8Array(5000).map((_, i) => (i * 7919) % 251);
    const answers = await Promise.all([
      speak(`GET ${PEER_PATH} HTTP/1.1\r\n\r\n`),
      speak(`GET ${PEER_PATH} HTTP/1.1\r\nUpgrade: cairn-peer\r\nX-Etcd-Cluster-Id: zz\r\n\r\n`),
      speak(Buffer.concat([good, noise])),
      speak(Buffer.concat([good, new Uint8Array(12).fill(255)])),
      speak(`GET /other HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n`),
      speak(noise),
    ]);
    expect(answers[0]).toStartWith("HTTP/1.1 400 ");
    expect(answers[1]).toContain("X-Etcd-Cluster-Id is no id");
    expect(answers[2]).toStartWith("HTTP/1.1 101 ");
    expect(answers[3]).toStartWith("HTTP/1.1 101 ");
    expect(answers[4]).toStartWith("HTTP/1.1 404 ");
    expect(a.isConnectedTo(b)).toBe(true);
    a.transport.send([a.beat(b.id, 1)]);
    await until(() => b.messages.length === 1);
  });
});
