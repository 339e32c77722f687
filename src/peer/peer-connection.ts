/**
 * One established connection: frames in, frames out. Frames offered in one callback leave together with one write at
 * its end (FlushTurn); while the socket does not drain, nothing is written and the queue holds what the peer does not
 * take. Frames that came in one chunk are followed by `onChunkEnd`, so that their owner hands them on together.
 */
import { assert } from "../base/assert.ts";
import type { Message } from "../raft/index.ts";
import { FRAME_PING, FRAME_PONG, FrameWriter, frameOf } from "./frame.ts";
import { FrameReader } from "./frame-reader.ts";
import { writeMessage } from "./message-codec.ts";
import type { PeerSocket } from "./peer-socket.ts";
import { SendQueue, type SendQueueLimits } from "./send-queue.ts";

export interface ConnectionOwner {
  /** Null, or why the connection must end. Never pings or pongs. */
  onFrame(kind: number, body: Uint8Array): string | null;
  onChunkEnd(): void;
  /** The peer answered a ping that was sent at this time. */
  onPong(sentMs: number): void;
  /** Once, however it ended, unless this side closed it by `close`. */
  onClosed(reason: string): void;
  /** Everything that was queued is with the socket. */
  onIdle?(): void;
}

/** What all connections of a transport share. */
export interface ConnectionServices {
  readonly turn: FlushTurn;
  readonly queueLimits: SendQueueLimits;
  readonly bodyBytesMax: number;
}

/** A write is not longer than this and the frame that crosses it: what a heartbeat waits behind. */
const WRITE_BYTES = 256 * 1024;
/** Writes in a row before other connections get their turn. */
const WRITES_PER_FLUSH = 8;
/** How long the last bytes may take once this side is through. */
const LINGER_MS = 1000;
/** A buffer that grew beyond this is not kept. */
const KEPT_BYTES_MAX = 1024 * 1024;

export class PeerConnection {
  readonly #services: ConnectionServices;
  readonly #socket: PeerSocket;
  readonly #owner: ConnectionOwner;
  readonly #reader: FrameReader;
  readonly #queue: SendQueue;
  #writer = new FrameWriter();
  #isBlocked = false;
  #isOpen = true;
  #reason = "connection closed by the other member";
  sentBytes = 0;
  receivedBytes = 0;
  /** Checks in a row that found nothing received; see `isSilentFor`. */
  #silentChecks = 0;

  constructor(services: ConnectionServices, socket: PeerSocket, owner: ConnectionOwner) {
    this.#services = services;
    this.#socket = socket;
    this.#owner = owner;
    this.#queue = new SendQueue(services.queueLimits);
    this.#reader = new FrameReader(services.bodyBytesMax, (kind, body) => this.#read(kind, body));
    socket.on("data", (chunk) => this.receive(chunk));
    socket.on("drain", () => {
      this.#isBlocked = false;
      this.flush();
    });
    socket.on("error", (error) => {
      this.#reason = error.message;
    });
    socket.on("close", () => this.#end(this.#reason));
  }

  get isOpen(): boolean {
    return this.#isOpen;
  }

  get queuedBytes(): number {
    return this.#queue.bytes + this.#socket.writableLength;
  }

  get queuedMessages(): number {
    return this.#queue.messages;
  }

  /** Also for bytes that were read together with the handshake. */
  receive(chunk: Uint8Array): void {
    if (!this.#isOpen || chunk.length === 0) return;
    this.#silentChecks = 0;
    this.receivedBytes += chunk.length;
    const problem = this.#reader.feed(chunk);
    if (this.#isOpen) this.#owner.onChunkEnd();
    if (problem !== null) this.fail(problem);
  }

  /** False: dropped, because the peer does not keep up. */
  offer(message: Message): boolean {
    if (!this.#isOpen || !this.#queue.offer(message)) return false;
    this.#services.turn.add(this);
    return true;
  }

  offerFrame(frame: Uint8Array, isUrgent: boolean): boolean {
    if (!this.#isOpen || !this.#queue.offerFrame(frame, isUrgent)) return false;
    this.#services.turn.add(this);
    return true;
  }

  ping(nowMs: number): void {
    this.offerFrame(timeFrame(FRAME_PING, nowMs), true);
  }

  /** Counts checks instead of time: a process that was paused itself finds what came meanwhile first. */
  isSilentFor(checks: number): boolean {
    return this.#silentChecks++ >= checks;
  }

  flush(): void {
    for (let writes = 0; writes < WRITES_PER_FLUSH; writes++) {
      if (this.#isBlocked || !this.#isOpen) return;
      this.#encode();
      if (this.#writer.length === 0) {
        this.#owner.onIdle?.();
        return;
      }
      this.#write();
    }
    if (!this.#queue.isEmpty) this.#services.turn.addForNext(this);
  }

  /** Ends it without a word to the owner; what is queued and fits into the socket still leaves. */
  close(): void {
    if (!this.#isOpen) return;
    this.flush();
    this.#isOpen = false;
    this.#queue.clear();
    this.#socket.end();
    this.#services.turn.after(LINGER_MS, () => this.#socket.destroy());
  }

  /** Ends it at once and tells the owner why. */
  fail(reason: string): void {
    this.#socket.destroy();
    this.#end(reason);
  }

  #end(reason: string): void {
    if (!this.#isOpen) return;
    this.#isOpen = false;
    this.#queue.clear();
    this.#owner.onClosed(reason);
  }

  #read(kind: number, body: Uint8Array): string | null {
    if (!this.#isOpen) return "the connection has ended";
    if (kind !== FRAME_PING && kind !== FRAME_PONG) return this.#owner.onFrame(kind, body);
    if (body.length !== 8) return "a ping has no time";
    if (kind === FRAME_PING) this.offerFrame(frameOf(FRAME_PONG, body), true);
    else this.#owner.onPong(new DataView(body.buffer, body.byteOffset, 8).getFloat64(0, true));
    return null;
  }

  #encode(): void {
    const writer = this.#writer;
    while (writer.length < WRITE_BYTES) {
      const item = this.#queue.take();
      if (item === null) return;
      if (item instanceof Uint8Array) writer.put(item);
      else writeMessage(item, writer);
    }
  }

  #write(): void {
    const writer = this.#writer;
    const { length } = writer;
    assert(length > 0, "an empty write");
    const isTaken = this.#socket.write(writer.bytes.subarray(0, length));
    this.sentBytes += length;
    if (this.#socket.writableLength > 0 || writer.bytes.length > KEPT_BYTES_MAX) {
      // The socket still reads from the buffer, or it is larger than what is worth keeping.
      this.#writer = new FrameWriter();
      this.#isBlocked = !isTaken;
    } else {
      writer.length = 0;
    }
  }
}

function timeFrame(kind: number, timeMs: number): Uint8Array {
  const writer = new FrameWriter(32);
  writer.begin(kind);
  writer.float64(timeMs);
  writer.finish();
  return writer.done();
}

/** Gathers the connections that have something to send and flushes each once, at the end of the callback. */
export class FlushTurn {
  readonly #soon: (fire: () => void) => void;
  readonly after: (delayMs: number, fire: () => void) => void;
  #waiting = new Set<PeerConnection>();
  #next = new Set<PeerConnection>();

  constructor(
    soon: (fire: () => void) => void,
    after: (delayMs: number, fire: () => void) => void,
  ) {
    this.#soon = soon;
    this.after = after;
  }

  add(connection: PeerConnection): void {
    this.#waiting.add(connection);
    if (this.#waiting.size === 1) queueMicrotask(() => this.flushNow());
  }

  /** For those that have more to send than a turn allows. */
  addForNext(connection: PeerConnection): void {
    this.#next.add(connection);
    if (this.#next.size > 1) return;
    this.#soon(() => {
      const next = this.#next;
      this.#next = new Set();
      for (const each of next) each.flush();
    });
  }

  /** Without waiting for the end of the turn: what was added so far belongs together. */
  flushNow(): void {
    if (this.#waiting.size === 0) return;
    const waiting = this.#waiting;
    this.#waiting = new Set();
    for (const connection of waiting) connection.flush();
  }
}
