/**
 * Takes snapshots that other members send: bytes into a file beside the database, a check of the whole image, and
 * then raft is told. One transfer at a time; a broken one can be taken up again under its id while the process lives.
 *
 * Nothing here may hurt the member: a file that cannot be written (a full disk, say) ends the transfer and nothing
 * else. The file is durable under its final name before raft hears of it, so that the log may name it.
 */
import { TreeDamage } from "../bbolt/index.ts";
import { DatabaseImage } from "../database/index.ts";
import { type Clock, DiskError, type DiskFile, type Logger } from "../io/index.ts";
import type { SnapshotMessage, SnapshotSink, SnapshotTransfer } from "../peer/index.ts";
import type { Background } from "./background.ts";
import type { SnapshotFiles } from "./snapshot-files.ts";
import { sameConfiguration, snapshotMarkOf } from "./snapshot-mark.ts";

/** What was written is synced on the way, so that the last sync has little left and the log's are not held up. */
const SYNC_EVERY_BYTES = 16 << 20;
/** Elements looked at per step of the check: about half a millisecond. */
const CHECK_WORK = 500;

export interface SnapshotReceiverParts {
  readonly files: SnapshotFiles;
  readonly background: Background;
  readonly clock: Clock;
  readonly logger: Logger;
  /** Room on the disk that is not for snapshots: without it the log could not go on. */
  readonly reservedBytes: number;
  /** Raft has the log up to here, so that no snapshot of it is wanted. */
  readonly commitIndex: () => number;
  /** Hands the message to raft; true if raft took the snapshot and will ask to install it. */
  readonly deliver: (message: SnapshotMessage) => boolean;
}

export class SnapshotReceiver {
  readonly #parts: SnapshotReceiverParts;
  #current: Arriving | null = null;
  #stopped = false;

  constructor(parts: SnapshotReceiverParts) {
    this.#parts = parts;
  }

  begin(transfer: SnapshotTransfer): SnapshotSink | null {
    if (this.#stopped) return null;
    const { files, commitIndex, clock, deliver } = this.#parts;
    const { index } = transfer.message.snapshot;
    if (index <= Math.max(commitIndex(), files.newestTaken())) {
      // Raft answers with what it has, and the sender goes on from there.
      clock.soon(() => deliver(transfer.message));
      return null;
    }
    const current = this.#current;
    if (current?.isTransfer(transfer)) return current.resume();
    if (current !== null && !current.yieldsTo(transfer)) return null;
    current?.abandon("another one takes its place");
    this.#current = null;
    const file = this.#create(transfer);
    if (file === null) return null;
    this.#current = new Arriving(this.#parts, transfer, file, (ended) => {
      if (this.#current === ended) this.#current = null;
    });
    return this.#current.resume();
  }

  /** Bytes of a snapshot that is on its way here; for those who look. */
  receivedBytes(): number {
    return this.#current?.receivedBytes ?? 0;
  }

  stop(): void {
    this.#stopped = true;
    this.#current?.abandon("the member stops");
    this.#current = null;
  }

  #create({ message, sizeBytes }: SnapshotTransfer): DiskFile | null {
    const { files, logger, reservedBytes } = this.#parts;
    const { index } = message.snapshot;
    const path = files.partPathOf(index);
    let file: DiskFile | null = null;
    try {
      file = files.disk.open(path, { create: true });
      file.truncate(0);
      // Whether there is room is known before anything is sent.
      file.preallocate(sizeBytes + reservedBytes);
      file.truncate(sizeBytes);
      logger.info("receiving database snapshot", {
        "incoming-snapshot-index": index,
        "incoming-snapshot-size-bytes": sizeBytes,
        "from-term": message.term,
      });
      return file;
    } catch (error) {
      if (!(error instanceof DiskError)) throw error;
      logger.warn("refused a database snapshot", {
        ...{ path, error: error.message },
        "incoming-snapshot-size-bytes": sizeBytes,
        "bytes-kept-free-for-the-log": reservedBytes,
      });
      file?.close();
      removeQuietly(files, path);
      return null;
    }
  }
}

/** The transfer at hand, over as many connections as it takes. */
class Arriving implements SnapshotSink {
  receivedBytes = 0;
  readonly #parts: SnapshotReceiverParts;
  readonly #transfer: SnapshotTransfer;
  #file: DiskFile | null;
  readonly #ended: (arriving: Arriving) => void;
  readonly #path: string;
  #state: "connected" | "suspended" | "finishing" | "over" = "suspended";
  /** Why it will not be accepted, whatever else comes. */
  #problem: string | null = null;
  #unsyncedBytes = 0;
  #syncsUnderWay = 0;
  #image: DatabaseImage | null = null;

  constructor(
    parts: SnapshotReceiverParts,
    transfer: SnapshotTransfer,
    file: DiskFile,
    ended: (arriving: Arriving) => void,
  ) {
    this.#parts = parts;
    this.#transfer = transfer;
    this.#file = file;
    this.#ended = ended;
    this.#path = parts.files.partPathOf(transfer.message.snapshot.index);
  }

  isTransfer({ id, sizeBytes, message }: SnapshotTransfer): boolean {
    const own = this.#transfer;
    return (
      id === own.id &&
      sizeBytes === own.sizeBytes &&
      message.from === own.message.from &&
      message.snapshot.index === own.message.snapshot.index
    );
  }

  /** Another connection for the same transfer: the one before is dead, whether or not that was noticed here. */
  resume(): SnapshotSink | null {
    if (this.#state === "finishing" || this.#problem !== null) return null;
    this.#state = "connected";
    return this;
  }

  /** A sender that began anew, or a newer leader, does not come back to this one. */
  yieldsTo({ message }: SnapshotTransfer): boolean {
    if (this.#state === "finishing") return false;
    const { from, term } = this.#transfer.message;
    return this.#state === "suspended" || message.from === from || message.term > term;
  }

  write(chunk: Uint8Array): void {
    if (this.#state !== "connected" || this.#problem !== null) return;
    if (this.receivedBytes + chunk.length > this.#transfer.sizeBytes) {
      this.#problem = "more came than was announced";
      return;
    }
    try {
      this.#file!.writeAt(chunk, 0, chunk.length, this.receivedBytes);
    } catch (error) {
      if (!(error instanceof DiskError)) throw error;
      this.#problem = error.message;
      return;
    }
    this.receivedBytes += chunk.length;
    this.#unsyncedBytes += chunk.length;
    if (this.#unsyncedBytes >= SYNC_EVERY_BYTES && this.#syncsUnderWay === 0) this.#sync(() => {});
  }

  suspend(): void {
    if (this.#state !== "connected") return;
    this.#state = "suspended";
    // A file that could not be written is no start for another attempt.
    if (this.#problem !== null) this.abandon(this.#problem);
  }

  finish(done: (accepted: boolean) => void): void {
    if (this.#state !== "connected") {
      done(false);
      return;
    }
    if (this.receivedBytes < this.#transfer.sizeBytes) this.#problem ??= "its end did not come";
    this.#state = "finishing";
    this.#check(() => {
      this.#sync(() => {
        if (this.#state === "finishing" && this.#problem === null) this.#keep();
        const accepted = this.#state === "finishing" && this.#problem === null;
        if (accepted) this.#offer();
        else this.abandon(this.#problem ?? "the member stops");
        done(accepted);
      });
    });
  }

  abandon(reason: string): void {
    if (this.#state === "over") return;
    this.#state = "over";
    const { files, logger } = this.#parts;
    const { index } = this.#transfer.message.snapshot;
    logger.warn("gave up a database snapshot", { "incoming-snapshot-index": index, reason });
    this.#closeImage();
    this.#closeFile();
    removeQuietly(files, this.#path);
    quietly(() => files.discard(index));
    this.#ended(this);
  }

  /** Syncs what was written; a failure ends this transfer, never the member: the file is nobody's state yet. */
  #sync(done: () => void): void {
    if (this.#problem !== null || this.#state === "over") {
      done();
      return;
    }
    this.#syncsUnderWay++;
    this.#unsyncedBytes = 0;
    this.#file!.sync((error) => {
      this.#syncsUnderWay--;
      if (error !== null) this.#problem ??= error.message;
      if (this.#state === "over") this.#closeFile();
      done();
    });
  }

  /** Not while a sync runs: its descriptor could be another file's by then. */
  #closeFile(): void {
    const file = this.#file;
    if (file === null || this.#syncsUnderWay > 0) return;
    this.#file = null;
    quietly(() => file.close());
  }

  #closeImage(): void {
    this.#image?.close();
    this.#image = null;
  }

  /** The whole image, page by page: a mark in the log cannot be taken back. */
  #check(done: () => void): void {
    if (this.#problem !== null) {
      done();
      return;
    }
    const image = DatabaseImage.open(this.#parts.files.disk, this.#path);
    if (typeof image === "string") {
      this.#problem = image;
      done();
      return;
    }
    this.#image = image;
    this.#parts.background.add(() => {
      if (this.#image === null) return false; // given up meanwhile
      const found = this.#checkStep(image);
      if (found === "more") return true;
      this.#problem ??= found;
      this.#closeImage();
      done();
      return false;
    });
  }

  /** What is wrong, null for nothing; "more" while the check goes on. */
  #checkStep(image: DatabaseImage): string | null {
    try {
      if (!image.checkStep(CHECK_WORK)) return "more";
      return image.problems[0] ?? this.#markProblem(image);
    } catch (error) {
      if (!(error instanceof DiskError || error instanceof TreeDamage)) throw error;
      return error.message;
    }
  }

  #markProblem(image: DatabaseImage): string | null {
    const { snapshot } = this.#transfer.message;
    const found = snapshotMarkOf(image);
    if (found.index !== snapshot.index || found.term !== snapshot.term) {
      return (
        `it holds the state at entry ${found.index} of term ${found.term}, ` +
        `but was announced as ${snapshot.index} of term ${snapshot.term}`
      );
    }
    const { configuration } = snapshot;
    return sameConfiguration(found.configuration, configuration)
      ? null
      : "it names other members than its message";
  }

  /** Gives the file its final name, durably. */
  #keep(): void {
    const { files } = this.#parts;
    const path = files.pathOf(this.#transfer.message.snapshot.index);
    try {
      this.#closeFile();
      files.disk.rename(this.#path, path);
      files.disk.syncDirectory(files.directory);
    } catch (error) {
      if (!(error instanceof DiskError)) throw error;
      this.#problem = error.message;
    }
  }

  #offer(): void {
    this.#state = "over";
    this.#ended(this);
    const { files, logger, deliver } = this.#parts;
    const { message, sizeBytes } = this.#transfer;
    const { index } = message.snapshot;
    logger.info("received and saved database snapshot", {
      "incoming-snapshot-index": index,
      "incoming-snapshot-size-bytes": sizeBytes,
    });
    if (deliver(message)) {
      files.take(index);
      return;
    }
    logger.info("a received database snapshot is of no use any more", { "snapshot-index": index });
    quietly(() => files.discard(index));
  }
}

function removeQuietly(files: SnapshotFiles, path: string): void {
  quietly(() => {
    if (files.disk.exists(path)) files.disk.remove(path);
  });
}

/** What a failure leaves behind is removed by the next start. */
function quietly(action: () => void): void {
  try {
    action();
  } catch (error) {
    if (!(error instanceof DiskError)) throw error;
  }
}
