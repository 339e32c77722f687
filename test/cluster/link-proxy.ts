// A TCP proxy in front of one member's peer port. The other members dial it (it is what the member advertises), so
// every connection between two members passes through exactly one proxy and obeys the two links of the pair.

import { createServer, connect as dial, type Server, type Socket } from "node:net";
import type { Links } from "./links.ts";

const queuedBytesMax = 1 << 20;

export interface LinkProxyOptions {
  readonly member: string;
  readonly listenPort: number;
  readonly targetPort: number;
  readonly links: Links;
  /** The member that dials from this port; null: nobody of ours. */
  readonly callerOf: (port: number) => string | null;
}

export class LinkProxy {
  readonly #options: LinkProxyOptions;
  readonly #server: Server;
  readonly #crossings = new Set<Crossing>();
  readonly #stopListening: () => void;

  constructor(options: LinkProxyOptions) {
    this.#options = options;
    this.#server = createServer({ allowHalfOpen: true }, (socket) => this.#accept(socket));
    this.#stopListening = options.links.onChange(() => {
      for (const crossing of [...this.#crossings]) crossing.update();
    });
  }

  start(): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#server.once("error", reject);
      this.#server.listen(this.#options.listenPort, "127.0.0.1", () => resolve());
    });
  }

  close(): void {
    this.#stopListening();
    this.#server.close();
    for (const crossing of [...this.#crossings]) crossing.destroy();
  }

  #accept(socket: Socket): void {
    const { member, targetPort, links, callerOf } = this.#options;
    socket.on("error", () => socket.destroy());
    // Somebody who is none of the members is not on any link: always let through.
    const caller = callerOf(socket.remotePort ?? 0) ?? "outside";
    const crossing = new Crossing({ socket, caller, member, targetPort, links }, () =>
      this.#crossings.delete(crossing),
    );
    this.#crossings.add(crossing);
    crossing.update();
  }
}

interface CrossingOptions {
  readonly socket: Socket;
  readonly caller: string;
  readonly member: string;
  readonly targetPort: number;
  readonly links: Links;
}

/** One connection: the caller's socket, the member's, and a pipe each way. */
class Crossing {
  readonly #options: CrossingOptions;
  readonly #onGone: () => void;
  readonly #pipes: Pipe[] = [];
  #target: Socket | null = null;

  constructor(options: CrossingOptions, onGone: () => void) {
    this.#options = options;
    this.#onGone = onGone;
    options.socket.pause();
    options.socket.on("close", () => this.#closed());
  }

  /** After a change of a link; also makes the far connection once packets pass both ways. */
  update(): void {
    const { caller, member, links } = this.#options;
    const there = links.of(caller, member);
    const back = links.of(member, caller);
    if (there.cut === "reset" || back.cut === "reset") {
      this.destroy();
      return;
    }
    if (this.#target === null && there.cut === "none" && back.cut === "none") this.#connect();
    for (const pipe of this.#pipes) pipe.pump();
  }

  destroy(): void {
    this.#options.socket.destroy();
    this.#target?.destroy();
    for (const pipe of this.#pipes) pipe.stop();
    this.#onGone();
  }

  #connect(): void {
    const { socket, caller, member, targetPort, links } = this.#options;
    const target = dial({ port: targetPort, host: "127.0.0.1", allowHalfOpen: true });
    this.#target = target;
    target.setNoDelay(true);
    socket.setNoDelay(true);
    target.on("error", () => this.destroy());
    target.on("close", () => this.#closed());
    this.#pipes.push(new Pipe(socket, target, () => links.of(caller, member)));
    this.#pipes.push(new Pipe(target, socket, () => links.of(member, caller)));
    socket.resume();
  }

  /** A broken end is told to the other one, but not while packets between them are dropped. */
  #closed(): void {
    const { caller, member, links, socket } = this.#options;
    const dropped =
      links.of(caller, member).cut === "drop" || links.of(member, caller).cut === "drop";
    const bothGone = socket.destroyed && (this.#target?.destroyed ?? true);
    if (bothGone || !dropped) {
      // What was read before the end still has to arrive.
      if (!bothGone && this.#pipes.some((pipe) => pipe.isCarrying)) return;
      this.destroy();
    }
  }
}

interface Piece {
  /** null: the sender has ended. */
  readonly chunk: Buffer | null;
  readonly dueMs: number;
}

/** Bytes one way: in order, each after the link's delay, none while the link is cut. */
class Pipe {
  readonly #from: Socket;
  readonly #to: Socket;
  readonly #link: () => ReturnType<Links["of"]>;
  readonly #pieces: Piece[] = [];
  #queuedBytes = 0;
  #lastDueMs = 0;
  #timer: ReturnType<typeof setTimeout> | null = null;
  #blocked = false;

  constructor(from: Socket, to: Socket, link: () => ReturnType<Links["of"]>) {
    this.#from = from;
    this.#to = to;
    this.#link = link;
    from.on("data", (chunk: Buffer) => this.#push(chunk));
    from.on("end", () => this.#push(null));
    to.on("drain", () => {
      this.#blocked = false;
      this.pump();
    });
  }

  get isCarrying(): boolean {
    return this.#pieces.length > 0 && !this.#to.destroyed;
  }

  stop(): void {
    if (this.#timer !== null) clearTimeout(this.#timer);
    this.#timer = null;
    this.#pieces.length = 0;
  }

  pump(): void {
    if (this.#timer !== null) clearTimeout(this.#timer);
    this.#timer = null;
    while (this.#pieces.length > 0 && !this.#blocked && this.#link().cut === "none") {
      const { chunk, dueMs } = this.#pieces[0]!;
      const waitMs = dueMs - performance.now();
      if (waitMs > 0) {
        this.#timer = setTimeout(() => this.pump(), waitMs);
        break;
      }
      this.#pieces.shift();
      if (this.#to.destroyed) continue;
      if (chunk === null) this.#to.end();
      else {
        this.#queuedBytes -= chunk.length;
        this.#blocked = !this.#to.write(chunk);
      }
    }
    if (this.#queuedBytes < queuedBytesMax) this.#from.resume();
    else this.#from.pause();
    if (this.#pieces.length === 0 && this.#from.destroyed) this.#to.end();
  }

  #push(chunk: Buffer | null): void {
    const { delayMs, bytesPerSecond } = this.#link();
    const bytes = chunk?.length ?? 0;
    const sendingMs = bytesPerSecond > 0 ? (bytes * 1000) / bytesPerSecond : 0;
    const dueMs = Math.max(performance.now() + delayMs, this.#lastDueMs) + sendingMs;
    this.#lastDueMs = dueMs;
    this.#pieces.push({ chunk, dueMs });
    this.#queuedBytes += bytes;
    this.pump();
  }
}
