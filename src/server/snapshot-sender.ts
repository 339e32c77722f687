/**
 * Sends this member's database to members that need what the log does not hold any more. Raft asks with a `snapshot`
 * message; what leaves is a message about the very transaction that is sent: index, term and members are read from
 * it, not from raft, so that mark and content are of one moment.
 *
 * Bounds: RUNNING_MAX transfers at a time, each holds one committed state (its pages are not reused meanwhile); one
 * more per member waits. Every message of raft is answered by exactly one report, a failed one after a pause: raft
 * asks again at once.
 */
import type { Database, DatabaseSnapshot } from "../database/index.ts";
import type { Clock, Timer } from "../io/index.ts";
import type { PeerTransport, SnapshotMessage, SnapshotSource } from "../peer/index.ts";
import { snapshotMarkOf } from "./snapshot-mark.ts";

const RUNNING_MAX = 2;
const RETRY_MS = 500;
/** The log behind a snapshot is kept so long after it was sent: the follower has to begin to read it (etcd's rule). */
const KEPT_AFTER_MS = 30_000;

export interface SnapshotSenderParts {
  readonly database: Database;
  /** Makes everything applied so far durable. */
  readonly commit: (done: () => void) => void;
  readonly transport: Pick<PeerTransport, "sendSnapshot">;
  readonly clock: Clock;
  /** Tells raft how the transfer to a member ended. */
  readonly report: (member: bigint, arrived: boolean) => void;
}

interface Transfer {
  readonly message: SnapshotMessage;
  /** Of the snapshot that is being sent, or was; 0 while it waits. */
  index: number;
  state: "waiting" | "running" | "pausing" | "sent";
  source: Source | null;
  timer: Timer | null;
}

export class SnapshotSender {
  readonly #parts: SnapshotSenderParts;
  /** By member. */
  readonly #transfers = new Map<bigint, Transfer>();
  #running = 0;
  #stopped = false;

  constructor(parts: SnapshotSenderParts) {
    this.#parts = parts;
  }

  send(message: SnapshotMessage): void {
    if (this.#stopped) return;
    const earlier = this.#transfers.get(message.to);
    // Raft forgot about an earlier one (this member lost the lead and won it again): that one's end answers for both.
    if (earlier !== undefined && earlier.state !== "sent") return;
    earlier?.timer?.cancel();
    const state = "waiting";
    this.#transfers.set(message.to, { message, index: 0, state, source: null, timer: null });
    this.#startNext();
  }

  /**
   * What comes after this index of the log is needed by a follower that is being sent a snapshot or was a moment ago;
   * Infinity for none.
   */
  neededAfter(): number {
    let lowest = Number.POSITIVE_INFINITY;
    for (const { index } of this.#transfers.values()) {
      if (index > 0) lowest = Math.min(lowest, index);
    }
    return lowest;
  }

  /** Lets go of the database: it is about to be closed. */
  stop(): void {
    this.#stopped = true;
    for (const { timer, source } of this.#transfers.values()) {
      timer?.cancel();
      source?.close();
    }
    this.#transfers.clear();
  }

  #startNext(): void {
    for (const transfer of this.#transfers.values()) {
      if (this.#running >= RUNNING_MAX) return;
      if (transfer.state !== "waiting") continue;
      transfer.state = "running";
      this.#running++;
      this.#parts.commit(() => this.#open(transfer));
    }
  }

  #open(transfer: Transfer): void {
    if (this.#stopped) return;
    const { database, transport } = this.#parts;
    const { message } = transfer;
    const snapshot = database.openSnapshot();
    const mark = snapshotMarkOf(snapshot);
    transfer.index = mark.index;
    const source = new Source(snapshot);
    transfer.source = source;
    transport.sendSnapshot({ ...message, snapshot: mark }, source, (arrived) => {
      source.close();
      this.#ended(transfer, arrived);
    });
  }

  #ended(transfer: Transfer, arrived: boolean): void {
    this.#running--;
    if (this.#stopped) return;
    const { clock, report } = this.#parts;
    const { to } = transfer.message;
    transfer.state = arrived ? "sent" : "pausing";
    transfer.timer = clock.setTimer(arrived ? KEPT_AFTER_MS : RETRY_MS, () => {
      this.#transfers.delete(to);
      if (!arrived) report(to, false);
    });
    if (arrived) report(to, true);
    this.#startNext();
  }
}

/** The file as of one transaction, read in any order. */
class Source implements SnapshotSource {
  readonly sizeBytes: number;
  readonly #snapshot: DatabaseSnapshot;
  #isOpen = true;

  constructor(snapshot: DatabaseSnapshot) {
    this.#snapshot = snapshot;
    this.sizeBytes = snapshot.totalBytes;
  }

  read(offset: number, buffer: Uint8Array): number {
    return this.#snapshot.readAt(offset, buffer);
  }

  close(): void {
    if (this.#isOpen) this.#snapshot.close();
    this.#isOpen = false;
  }
}
