/** A member that is nothing but a socket: says what a test wants, true or not. */
import * as net from "node:net";
import { FrameReader } from "../frame-reader.ts";
import { type ChannelKind, helloFields, ownHello, PEER_PATH } from "../hello.ts";
import { requestHead } from "../http-head.ts";
import { CLUSTER, type TestMember, until } from "./test-members.ts";

export interface RawFrame {
  readonly kind: number;
  readonly body: Uint8Array;
}

export class RawPeer {
  readonly frames: RawFrame[] = [];
  readonly socket: net.Socket;
  isClosed = false;

  private constructor(socket: net.Socket) {
    this.socket = socket;
  }

  /** Of the answer to the introduction. */
  status = 0;

  /** Introduced as `from`; let in, or not. */
  static async dial(to: TestMember, from: bigint, channel: ChannelKind): Promise<RawPeer> {
    const socket = net.connect(to.port, "127.0.0.1");
    const peer = new RawPeer(socket);
    const reader = new FrameReader(1 << 26, (kind, body) => {
      peer.frames.push({ kind, body });
      return null;
    });
    socket.on("error", () => {});
    socket.on("close", () => {
      peer.isClosed = true;
    });
    socket.on("data", (chunk: Buffer) => {
      const begin = peer.status > 0 ? 0 : chunk.indexOf("\r\n\r\n") + 4;
      if (begin > 0) peer.status = Number(chunk.toString("latin1", 9, 12));
      if (peer.status === 101) reader.feed(chunk.subarray(begin));
    });
    const hello = ownHello({
      ...{ clusterId: CLUSTER, from, to: to.id, channel, serverVersion: "3.7.1" },
      peerUrls: ["http://127.0.0.1:1"],
      lease: null,
    });
    socket.write(requestHead(PEER_PATH, "x", helloFields(hello)));
    await until(() => peer.status > 0);
    return peer;
  }

  send(...frames: Uint8Array[]): void {
    for (const frame of frames) this.socket.write(frame);
  }

  has(kind: number): boolean {
    return this.frames.some((frame) => frame.kind === kind);
  }
}
