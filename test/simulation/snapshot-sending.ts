/**
 * One snapshot on its way: chunks in order, again from where it stopped after a broken connection, given up
 * after some attempts. Ends exactly once, also when the receiver dies; when the sender dies nobody is left to
 * be told, but the receiver's end is suspended.
 */
import type { SnapshotMessage, SnapshotSink, SnapshotSource } from "../../src/peer/index.ts";
import type { SimTransport } from "./sim-transport.ts";

const ATTEMPTS_MAX = 6;
const RETRY_MS = 300;
/** How often both ends look whether the other one is still there. */
const LOOK_MS = 700;

/** One connection's worth of the transfer. */
interface Attempt {
  readonly to: SimTransport;
  sink: SnapshotSink | null;
  isOpen: boolean;
  /** Counts up with everything that arrives. */
  progress: number;
}

export class SnapshotSending {
  readonly #from: SimTransport;
  readonly #message: SnapshotMessage;
  readonly #source: SnapshotSource;
  readonly #done: (arrived: boolean) => void;
  readonly #id: string;
  readonly #chunkBytes: number;
  #attempts = 0;
  #isOver = false;

  constructor(
    from: SimTransport,
    message: SnapshotMessage,
    source: SnapshotSource,
    done: (arrived: boolean) => void,
  ) {
    const random = from.process.random();
    this.#from = from;
    this.#message = message;
    this.#source = source;
    this.#done = done;
    this.#id = random.uint32().toString(16).padStart(8, "0");
    this.#chunkBytes = 4096 << (random.uint32() % 4);
  }

  start(): void {
    this.#from.process.soon(() => this.#next());
  }

  #next(): void {
    if (this.#isOver || !this.#from.isUp) return;
    if (this.#attempts++ >= ATTEMPTS_MAX) {
      this.#end(false);
      return;
    }
    const to = this.#from.network.endpoint(this.#message.to);
    const attempt = to && { to, sink: null, isOpen: true, progress: 0 };
    if (attempt === undefined || !this.#toReceiver(attempt, () => this.#begin(attempt))) {
      this.#from.process.setTimer(RETRY_MS * this.#attempts, () => this.#next());
      return;
    }
    this.#watch(attempt, 0);
  }

  /** At the receiver. */
  #begin(attempt: Attempt): void {
    const { sizeBytes } = this.#source;
    const transfer = { id: this.#id, message: this.#message, sizeBytes };
    const sink = attempt.to.events!.beginSnapshot(transfer);
    this.#note(attempt, sink === null ? "refused" : `begins at ${sink.receivedBytes}`);
    if (sink === null) {
      this.#toSender(attempt, () => this.#end(false));
      return;
    }
    attempt.sink = sink;
    const offset = sink.receivedBytes;
    this.#watchSender(attempt);
    this.#toSender(attempt, () => this.#sendFrom(attempt, offset));
  }

  /** At the sender. */
  #sendFrom(attempt: Attempt, offset: number): void {
    const sink = attempt.sink!;
    const { sizeBytes } = this.#source;
    if (offset >= sizeBytes) {
      this.#toReceiver(attempt, () => {
        sink.finish((accepted) => {
          attempt.isOpen = false;
          if (accepted) attempt.to.onSnapshotTaken();
          this.#note(attempt, accepted ? "taken" : "not taken");
          this.#from.process.input(1, () => this.#end(accepted));
        });
      });
      return;
    }
    const chunk = new Uint8Array(Math.min(this.#chunkBytes, sizeBytes - offset));
    const bytes = this.#source.read(offset, chunk);
    this.#toReceiver(attempt, () => {
      sink.write(chunk.subarray(0, bytes));
      this.#toSender(attempt, () => this.#sendFrom(attempt, offset + bytes));
    });
  }

  /** False when there is no connection; what is lost on the way breaks it, and `#watch` notices. */
  #toReceiver(attempt: Attempt, act: () => void): boolean {
    const { to } = attempt;
    const { network, name } = this.#from;
    if (!to.isUp || !network.isConnected(this.#from, to)) return false;
    const delayMs = network.delayMs(name, to.name);
    if (delayMs === null) return true;
    to.process.input(delayMs, () => {
      attempt.progress++;
      if (to.isUp && attempt.isOpen && to.events !== null) act();
    });
    return true;
  }

  #toSender(attempt: Attempt, act: () => void): void {
    const from = this.#from;
    const delayMs = from.network.delayMs(attempt.to.name, from.name);
    if (delayMs === null || !from.isUp) return;
    from.process.input(delayMs, () => {
      attempt.progress++;
      if (from.isUp && attempt.isOpen && !this.#isOver) act();
    });
  }

  /** At the sender: silence is a broken connection. */
  #watch(attempt: Attempt, progress: number): void {
    this.#from.process.setTimer(LOOK_MS, () => {
      if (this.#isOver || !attempt.isOpen || !this.#from.isUp) return;
      if (attempt.progress > progress) this.#watch(attempt, attempt.progress);
      else {
        this.#note(attempt, "breaks");
        this.#close(attempt);
        this.#from.process.setTimer(RETRY_MS, () => this.#next());
      }
    });
  }

  /** At the receiver. */
  #watchSender(attempt: Attempt): void {
    attempt.to.process.setTimer(LOOK_MS, () => {
      if (!attempt.isOpen || !attempt.to.isUp) return;
      if (this.#from.isUp) this.#watchSender(attempt);
      else this.#close(attempt);
    });
  }

  #close(attempt: Attempt): void {
    if (!attempt.isOpen) return;
    attempt.isOpen = false;
    const { to, sink } = attempt;
    if (to.isUp && sink !== null) to.process.input(0, () => to.isUp && sink.suspend());
  }

  #end(arrived: boolean): void {
    if (this.#isOver || !this.#from.isUp) return;
    this.#isOver = true;
    this.#source.close();
    this.#done(arrived);
  }

  #note({ to }: Attempt, what: string): void {
    const { snapshot } = this.#message;
    const { world, name } = this.#from.process;
    world.note(`snap ${name}>${to.name} ${this.#id} of ${snapshot.index} ${what}`);
  }
}
