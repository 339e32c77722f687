/** What a member does when the other side does not do as ours would. */
import { afterEach, expect, test } from "bun:test";
import * as net from "node:net";
import { crc32c } from "../base/crc32c.ts";
import {
  FRAME_APPEND,
  FRAME_CHUNK,
  FRAME_MESSAGE,
  FRAME_PING,
  FRAME_PONG,
  FRAME_REFUSE,
  FRAME_RESULT,
  FrameWriter,
  frameOf,
} from "./frame.ts";
import { FrameReader } from "./frame-reader.ts";
import type { SnapshotMessage } from "./index.ts";
import { writeMessage } from "./message-codec.ts";
import { beginFrame, chunkFrame, endFrame, readRefusal } from "./snapshot-codec.ts";
import { RawPeer } from "./testing/raw-peer.ts";
import { TestMember, until } from "./testing/test-members.ts";

const cleanups: (() => unknown)[] = [];
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
});

async function start(): Promise<TestMember> {
  const member = await TestMember.start({ id: 1n });
  cleanups.push(() => member.stop());
  return member;
}

async function dial(member: TestMember, channel: "messages" | "snapshot"): Promise<RawPeer> {
  const peer = await RawPeer.dial(member, 2n, channel);
  cleanups.push(() => peer.socket.destroy());
  return peer;
}

function messageFrame(member: TestMember, tick: number): Uint8Array {
  const writer = new FrameWriter();
  writeMessage({ ...member.beat(1n, tick), from: 2n }, writer);
  return writer.done();
}

test("a new connection of a member ends the one before", async () => {
  const member = await start();
  const first = await dial(member, "messages");
  first.send(messageFrame(member, 1));
  await until(() => member.messages.length === 1);
  const second = await dial(member, "messages");
  await until(() => first.isClosed);
  second.send(messageFrame(member, 2));
  await until(() => member.messages.length === 2);
  expect(member.messages.map((message) => message.from)).toEqual([2n, 2n]);
});

test("a ping is answered with its own time", async () => {
  const member = await start();
  const peer = await dial(member, "messages");
  const time = Uint8Array.of(1, 2, 3, 4, 5, 6, 7, 8);
  peer.send(frameOf(FRAME_PING, time));
  await until(() => peer.has(FRAME_PONG));
  expect(peer.frames[0]!.body).toEqual(new Uint8Array(time));
});

test.each([
  ["an unknown kind", frameOf(99, new Uint8Array(3))],
  ["a message that is none", frameOf(FRAME_MESSAGE, Uint8Array.of(0x81, 0x63))],
  ["an append that is cut short", frameOf(FRAME_APPEND, new Uint8Array(35))],
  ["a chunk among messages", frameOf(FRAME_CHUNK, new Uint8Array(20))],
  ["a ping without a time", frameOf(FRAME_PING, new Uint8Array(7))],
])("%s ends the connection, after what was good before it", async (_name, frame) => {
  const member = await start();
  const peer = await dial(member, "messages");
  peer.send(Buffer.concat([messageFrame(member, 1), frame, messageFrame(member, 2)]));
  await until(() => peer.isClosed);
  expect(member.messages.length).toBe(1);
});

function snapshotMessage(): SnapshotMessage {
  const configuration = { voters: [1n, 2n], learners: [] };
  const snapshot = { index: 5, term: 2, configuration };
  return { kind: "snapshot", from: 2n, to: 1n, term: 3, snapshot };
}

const ID = "00112233445566778899aabbccddeeff";
const DATA = new Uint8Array(1000).fill(9);

function chunkAt(offset: number): Uint8Array {
  return chunkFrame(offset, DATA.length, (space) => {
    space.set(DATA);
    return DATA.length;
  })!.frame;
}

async function receiving(): Promise<{ member: TestMember; peer: RawPeer; events: string[] }> {
  const member = await start();
  const events: string[] = [];
  member.onSnapshot = () => {
    events.push("begin");
    return {
      receivedBytes: 0,
      write: (chunk) => events.push(`write ${chunk.length}`),
      finish: (done) => {
        events.push("finish");
        done(true);
      },
      suspend: () => events.push("suspend"),
    };
  };
  // The snapshot's sender is one that is known here.
  await dial(member, "messages");
  return { member, peer: await dial(member, "snapshot"), events };
}

test("a snapshot by the book is taken; one with another checksum is not", async () => {
  const transfer = { id: ID, sizeBytes: DATA.length, message: snapshotMessage() };
  const good = await receiving();
  good.peer.send(beginFrame(transfer), chunkAt(0), endFrame(DATA.length, crc32c(DATA)));
  await until(() => good.peer.has(FRAME_RESULT));
  expect(good.events).toEqual(["begin", "write 1000", "finish"]);

  const bad = await receiving();
  bad.peer.send(beginFrame(transfer), chunkAt(0), endFrame(DATA.length, crc32c(DATA) ^ 1));
  await until(() => bad.peer.has(FRAME_REFUSE));
  expect(bad.events).toEqual(["begin", "write 1000", "suspend"]);
  expect(readRefusal(bad.peer.frames.at(-1)!.body)).toContain("checksum");
});

test.each([
  ["a chunk before the beginning", [chunkAt(0)]],
  ["a gap", [beginFrame(transferOf(5000)), chunkAt(1000)]],
  ["a repeated chunk", [beginFrame(transferOf(5000)), chunkAt(0), chunkAt(0)]],
  ["more than was announced", [beginFrame(transferOf(999)), chunkAt(0)]],
  ["an early end", [beginFrame(transferOf(5000)), chunkAt(0), endFrame(5000, 0)]],
  ["a second beginning", [beginFrame(transferOf(5000)), beginFrame(transferOf(5000))]],
  ["a beginning that is none", [frameOf(16, new Uint8Array(9))]],
])("%s ends the connection of a snapshot", async (_name, frames) => {
  const { peer, events } = await receiving();
  peer.send(...frames);
  await until(() => peer.isClosed);
  expect(events).not.toContain("finish");
  // What was begun may be resumed by a better sender.
  expect(events.includes("suspend")).toBe(events.includes("begin"));
});

function transferOf(sizeBytes: number) {
  return { id: ID, sizeBytes, message: snapshotMessage() };
}

test("a snapshot of a member that is not known here is refused", async () => {
  const member = await start();
  const peer = await RawPeer.dial(member, 2n, "snapshot");
  await until(() => peer.isClosed);
  expect(peer.status).toBe(404);
  expect(member.transport.statistics()).toEqual([]);
});

test("a member that is none any more leaves its snapshot behind", async () => {
  const { member, peer, events } = await receiving();
  peer.send(beginFrame(transferOf(5000)), chunkAt(0));
  await until(() => events.length === 2);
  member.transport.setPeers([{ id: 2n, peerUrls: ["http://127.0.0.1:1"] }]);
  member.transport.setPeers([]);
  await until(() => peer.isClosed);
  expect(events).toEqual(["begin", "write 1000", "suspend"]);
});

test("heartbeats overtake the appends that wait for a slow member", async () => {
  const kinds: number[] = [];
  let accepted: net.Socket | null = null;
  const slow = net.createServer((socket) => {
    accepted = socket;
    socket.on("error", () => {});
    const reader = new FrameReader(1 << 26, (kind) => {
      kinds.push(kind);
      return null;
    });
    socket.once("data", () => {
      socket.write("HTTP/1.1 101 Switching Protocols\r\nCairn-Protocol: 1\r\n\r\n");
      socket.pause();
      socket.on("data", (chunk: Buffer) => reader.feed(chunk));
      socket.pause();
    });
  });
  await new Promise<void>((resolve) => slow.listen(0, "127.0.0.1", resolve));
  cleanups.push(() => slow.close());
  const member = await TestMember.start({ id: 1n, limits: { silentChecksMax: 10_000 } });
  cleanups.push(() => member.stop());
  const { port } = slow.address() as net.AddressInfo;
  member.transport.setPeers([{ id: 2n, peerUrls: [`http://127.0.0.1:${port}`] }]);
  await until(() => member.isConnectedTo({ id: 2n }));
  const entry = { term: 1, index: 1, kind: 0, data: new Uint8Array(100_000) };
  const header = { from: 1n, to: 2n, term: 1, previousIndex: 0, previousTerm: 0, commit: 0 };
  const count = 400;
  for (let i = 0; i < count; i++) {
    member.transport.send([{ kind: "append", ...header, entries: [entry] }]);
  }
  await until(() => member.transport.statistics()[0]!.queuedMessages > count / 4);
  const waiting = member.transport.statistics()[0]!.queuedMessages;
  member.transport.send([member.beat(2n, 1)]);
  accepted!.resume();
  await until(() => kinds.filter((kind) => kind === FRAME_APPEND).length === count);
  const before = kinds.indexOf(FRAME_MESSAGE);
  expect(kinds.filter((kind) => kind === FRAME_MESSAGE).length).toBe(1);
  // Behind what the socket had already, ahead of what was waiting.
  expect(before).toBeLessThanOrEqual(count - waiting + 8);
});
