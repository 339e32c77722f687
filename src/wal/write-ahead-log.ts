/**
 * The write-ahead log of one member: SHELL around the pure codec beside it. The raft loop appends what raft
 * says must be durable, asks for a flush, and sends or acknowledges only when the flush is done.
 *
 * What must hold:
 *   - one batch is one contiguous write and one sync; the next write starts only after that sync succeeded;
 *   - a `done` runs only after everything appended before its flush is durable, and they run in order;
 *   - the first failed write or sync ends it: `onFailure` once, no `done` ever after, no retry (fsyncgate).
 */
import { assert } from "../base/assert.ts";
import { encodeCbor } from "../base/cbor.ts";
import type { Clock, Disk } from "../io/index.ts";
import { DiskError } from "../io/index.ts";
import { BatchBuilder } from "./batch-builder.ts";
import { createLogDirectory } from "./create-log.ts";
import { DEFAULT_SEGMENT_BYTES, FLAG_CLOSED, FLAG_MARK, KIND_SNAPSHOT_MARK } from "./format.ts";
import { NextSegment } from "./next-segment.ts";
import { QuietTimer } from "./quiet-timer.ts";
import { recoverLog } from "./recovery.ts";
import { releaseSegments } from "./release-segments.ts";
import { RestartPoint } from "./restart-point.ts";
import { type SegmentName, segmentName } from "./segment-name.ts";
import type { ChainState } from "./segment-reader.ts";
import { addHardState, encodeSegmentStart, type SegmentStart } from "./segment-start.ts";
import { SegmentWriter } from "./segment-writer.ts";
import {
  EMPTY_BEGINNING,
  type HardState,
  type WalBeginning,
  type WalEntry,
  type WalMetadata,
  type WalObserver,
  type WalOptions,
  type WalRecovery,
  type WalStatistics,
} from "./types.ts";

/** A log that was quiet for so long gets a mark that proves its last batch was synced. */
const MARK_DELAY_MS = 1000;
const PENDING_BYTES_MAX = 1 << 29;
const PAYLOAD_EMPTY = encodeCbor([]);
/** Of the mark of a received snapshot. */
const PAYLOAD_RECEIVED = encodeCbor([true]);

/** Everything the log knows when it begins to write. */
interface LogStart {
  readonly metadata: WalMetadata;
  readonly hardState: HardState;
  readonly segments: SegmentName[];
  readonly chain: ChainState;
  /** Size to which the current segment was preallocated. */
  readonly currentBytes: number;
}

type Activity = "idle" | "syncing" | "cutting" | "failed" | "closed";

export class WriteAheadLog {
  /** Called once, on the first failed write or sync. The owner ends the process. */
  onFailure: (error: DiskError) => void = (error) => {
    throw error;
  };

  readonly #disk: Disk;
  readonly #directory: string;
  readonly #clock: Clock | null;
  readonly #observer: WalObserver;
  readonly #metadata: WalMetadata;
  readonly #segmentBytes: number;
  readonly #segments: SegmentName[];
  readonly #builder = new BatchBuilder();
  readonly #writer: SegmentWriter;
  readonly #quiet: QuietTimer | null;
  readonly #restartPoint: RestartPoint;
  #hardState: HardState;
  /** As of the newest written batch: it must not promise a commit whose entries are still pending. */
  #writtenHardState: HardState;
  #next: NextSegment;
  #activity: Activity = "idle";
  #pumping = false;
  /** Last entry, counting what is only appended yet. */
  #lastIndex: number;
  #lastTerm: number;
  #syncedIndex: number;
  /** Callbacks of the next batch, and of the one in flight. */
  #waiting: (() => void)[] = [];
  #inFlight: (() => void)[] = [];
  readonly #count = {
    writtenBytes: 0,
    entryCount: 0,
    batchCount: 0,
    syncCount: 0,
    cutCount: 0,
    markCount: 0,
  };

  private constructor(options: WalOptions, start: LogStart) {
    const { disk, directory, clock } = options;
    this.#disk = disk;
    this.#directory = directory;
    this.#clock = clock ?? null;
    this.#observer = options.observer ?? {};
    this.#metadata = start.metadata;
    this.#hardState = start.hardState;
    this.#writtenHardState = start.hardState;
    this.#segmentBytes = options.segmentBytes ?? DEFAULT_SEGMENT_BYTES;
    this.#segments = start.segments;
    this.#lastIndex = start.chain.previous.lastIndex;
    this.#lastTerm = start.chain.previous.lastTerm;
    this.#syncedIndex = this.#lastIndex;
    this.#quiet = clock ? new QuietTimer(clock, MARK_DELAY_MS, () => this.markSynced()) : null;
    const file = disk.open(this.#pathOf(start.segments[start.segments.length - 1]!));
    this.#writer = new SegmentWriter(file, start.currentBytes, start.chain);
    this.#next = this.#newNextSegment();
    this.#restartPoint = new RestartPoint(disk, directory);
  }

  /**
   * Makes the directory with its first segment and the beginning, durable, all of it or nothing. Throws DiskError,
   * also if it exists.
   */
  static create(
    options: WalOptions,
    metadata: WalMetadata,
    beginning: WalBeginning = EMPTY_BEGINNING,
  ): WriteAheadLog {
    const { disk, directory, segmentBytes } = options;
    const currentBytes = segmentBytes ?? DEFAULT_SEGMENT_BYTES;
    const created = createLogDirectory(disk, directory, currentBytes, metadata, beginning);
    return new WriteAheadLog(options, { ...created, metadata, currentBytes });
  }

  /**
   * Reads the log after the applied index, or from further back where it goes that far (never further than a received
   * snapshot that replaced the log). Throws WalDamage where it is damaged, DiskError where the disk fails. A torn
   * tail is wiped and reported. What was found is durable, also what the process before had not synced.
   */
  static open(
    options: WalOptions,
    appliedIndex: number,
    fromIndex: number = appliedIndex,
  ): { log: WriteAheadLog; recovered: WalRecovery } {
    const found = recoverLog(options.disk, options.directory, appliedIndex, fromIndex);
    const { recovered, segments, chain, currentBytes } = found;
    const { metadata, hardState } = recovered;
    const log = new WriteAheadLog(options, { metadata, hardState, segments, chain, currentBytes });
    return { log, recovered };
  }

  /** Adds to the batch that the next flush writes. Entries come in order; an earlier index overwrites from there. */
  append(entries: readonly WalEntry[], hardState: HardState | null): void {
    if (this.#activity === "failed") return;
    assert(this.#activity !== "closed", "append to a closed log");
    for (const { term, index, kind, data } of entries) {
      if (index <= 0 || index > this.#lastIndex + 1) {
        assert(false, `entry ${index} after ${this.#lastIndex}`);
      }
      this.#builder.addEntry(term, index, kind, data);
      this.#lastIndex = index;
      this.#lastTerm = term;
    }
    this.#count.entryCount += entries.length;
    if (hardState !== null) {
      const { commit } = hardState;
      assert(commit <= this.#lastIndex, `commit ${commit} beyond entry ${this.#lastIndex}`);
      addHardState(this.#builder, hardState);
      this.#hardState = hardState;
    }
    assert(this.#builder.sealedBytes <= PENDING_BYTES_MAX, "more pending than the owner may leave");
  }

  /** Notes that the database is durable up to this entry of the log; durable itself with the next flush. */
  saveSnapshotMark(index: number, term: number): void {
    assert(index <= this.#lastIndex, `mark ${index} beyond entry ${this.#lastIndex}`);
    this.#addMark(index, term, PAYLOAD_EMPTY);
  }

  /**
   * A snapshot received from another member takes the place of the whole log, which ends with this index from now
   * on. The snapshot's file is durable already; with the next flush it is this member's state. Goes before the
   * entries and the hard state that follow it.
   */
  replaceBySnapshot(index: number, term: number): void {
    this.#addMark(index, term, PAYLOAD_RECEIVED);
    if (this.#activity === "failed") return;
    this.#lastIndex = index;
    this.#lastTerm = term;
  }

  #addMark(index: number, term: number, payload: Uint8Array): void {
    if (this.#activity === "failed") return;
    assert(this.#activity !== "closed", "mark in a closed log");
    this.#builder.addRecord(KIND_SNAPSHOT_MARK, term, index, payload);
    // A start-up that begins at this batch needs the hard state, which may be much older.
    addHardState(this.#builder, this.#hardState);
    this.#restartPoint.noteMark(index);
  }

  /**
   * Calls `done` when everything appended so far is durable: at once if it is already. While a sync is in
   * flight, whatever arrives waits for it and then shares the next one.
   */
  flush(done: () => void): void {
    if (this.#activity === "failed") return;
    assert(this.#activity !== "closed", "flush of a closed log");
    if (this.#builder.recordCount > 0) {
      this.#waiting.push(done);
      this.#pump();
    } else if (this.#activity === "syncing") {
      this.#inFlight.push(done);
    } else {
      done();
    }
  }

  /** Last entry that is durable. */
  syncedIndex(): number {
    return this.#syncedIndex;
  }

  /** Last entry appended. */
  lastIndex(): number {
    return this.#lastIndex;
  }

  /** Removes whole segments that hold nothing at or after `index`; returns their names. Keeps at least one. */
  releaseBefore(index: number): string[] {
    return releaseSegments(this.#disk, this.#directory, this.#segments, index);
  }

  statistics(): WalStatistics {
    const pendingBytes = this.#builder.recordCount === 0 ? 0 : this.#builder.sealedBytes;
    return { ...this.#count, pendingBytes, segmentCount: this.#segments.length };
  }

  /**
   * Writes the mark that proves the last batch synced. It is not synced itself: it reaches the disk with the
   * system's own write-back. Does nothing while anything is on its way. Runs by itself where there is a clock.
   */
  markSynced(): void {
    if (this.#activity !== "idle" || this.#writer.markWritten) return;
    this.#orFail(() => {
      this.#writer.writeMark(FLAG_MARK);
      this.#count.markCount++;
    });
  }

  /**
   * Ends the log in good order, blocking: writes what is pending, then the closing mark. Callbacks of flushes
   * that were not done yet never run; the owner waits for them first if they matter. Throws DiskError.
   */
  close(): void {
    if (this.#activity === "closed") return;
    const before = this.#activity;
    this.#activity = "closed";
    this.#quiet?.cancel();
    // Handles with a sync in flight are closed when that ends.
    if (before !== "cutting") this.#next.release();
    const writer = this.#writer;
    if (before !== "failed") {
      writer.file.syncNow();
      if (this.#builder.recordCount > 0) {
        writer.writeBatch(this.#builder, this.#lastIndex, this.#lastTerm);
        writer.file.syncNow();
      }
      writer.writeMark(FLAG_MARK | FLAG_CLOSED);
      writer.file.syncNow();
      this.#restartPoint.noteClosed(writer.file, writer.chain);
    }
    if (before !== "syncing") writer.file.close();
  }

  /** Starts whatever can be started. A loop, not a recursion: a disk may complete a sync at once. */
  #pump(): void {
    if (this.#pumping) return;
    this.#pumping = true;
    try {
      while (this.#activity === "idle" && this.#waiting.length > 0) {
        this.#orFail(() => {
          if (this.#writer.fits(this.#builder.sealedBytes)) this.#startBatch();
          else this.#startCut();
        });
      }
    } finally {
      this.#pumping = false;
    }
  }

  #startBatch(): void {
    const startMs = this.#nowMs();
    const syncedIndex = this.#lastIndex;
    const after = this.#writer.chain.previous.lastIndex;
    const bytes = this.#writer.writeBatch(this.#builder, this.#lastIndex, this.#lastTerm);
    this.#restartPoint.noteBatch(this.#writer.file, this.#writer.chain, after);
    this.#writtenHardState = this.#hardState;
    this.#activity = "syncing";
    this.#inFlight = this.#waiting;
    this.#waiting = [];
    this.#count.batchCount++;
    this.#count.writtenBytes += bytes;
    const writtenMs = this.#nowMs();
    this.#observer.written?.((writtenMs - startMs) / 1000, bytes);
    this.#writer.file.sync((error) => this.#batchSynced(error, syncedIndex, writtenMs));
  }

  #batchSynced(error: DiskError | null, syncedIndex: number, writtenMs: number): void {
    if (this.#activity === "closed") this.#writer.file.close();
    if (this.#activity !== "syncing") return;
    if (error !== null) {
      this.#fail(error);
      return;
    }
    this.#activity = "idle";
    this.#count.syncCount++;
    this.#syncedIndex = syncedIndex;
    const nowMs = this.#nowMs();
    this.#observer.synced?.((nowMs - writtenMs) / 1000);
    this.#quiet?.touch(nowMs);
    const done = this.#inFlight;
    this.#inFlight = [];
    for (const callback of done) callback();
    this.#pump();
    if (this.#activity === "idle" || this.#activity === "syncing") {
      this.#orFail(() => this.#next.advance(this.#writer.chain.offset));
    }
  }

  /**
   * The next segment gets its name only after its first batch is durable, and the name is durable before
   * any batch follows: a segment found by its name always begins with a whole batch.
   */
  #startCut(): void {
    const startMs = this.#nowMs();
    const { chain } = this.#writer;
    const start = encodeSegmentStart(
      chain.segment + 1,
      chain,
      this.#metadata,
      this.#writtenHardState,
      this.#segmentBytes,
    );
    const file = this.#next.take();
    file.writeAt(start.bytes, 0, start.bytes.length, 0);
    this.#count.writtenBytes += start.bytes.length;
    this.#activity = "cutting";
    file.sync((error) => {
      if (this.#activity === "closed") this.#next.release();
      if (this.#activity !== "cutting") return;
      if (error === null) this.#orFail(() => this.#finishCut(start, startMs));
      else this.#fail(error);
      this.#pump();
    });
  }

  #finishCut(start: SegmentStart, startMs: number): void {
    const { chain } = this.#writer;
    const name = segmentName(chain.segment + 1, chain.previous.lastIndex + 1);
    this.#disk.rename(this.#next.path, this.#pathOf(name));
    this.#disk.syncDirectory(this.#directory);
    this.#next.release();
    this.#writer.switchTo(this.#disk, this.#pathOf(name), this.#segmentBytes, start);
    this.#segments.push(name);
    this.#next = this.#newNextSegment();
    this.#activity = "idle";
    this.#count.syncCount++;
    this.#count.cutCount++;
    this.#observer.cut?.((this.#nowMs() - startMs) / 1000);
  }

  /** Runs disk work; a DiskError ends the log, anything else is a programmer's error and goes on. */
  #orFail(work: () => void): void {
    try {
      work();
    } catch (error) {
      if (!(error instanceof DiskError)) throw error;
      this.#fail(error);
    }
  }

  #fail(error: DiskError): void {
    if (this.#activity === "failed" || this.#activity === "closed") return;
    this.#activity = "failed";
    this.#quiet?.cancel();
    this.#waiting = [];
    this.#inFlight = [];
    this.onFailure(error);
  }

  #newNextSegment(): NextSegment {
    const onFailure = (error: DiskError) => this.#fail(error);
    return new NextSegment(this.#disk, this.#directory, this.#segmentBytes, onFailure);
  }

  #nowMs(): number {
    return this.#clock === null ? 0 : this.#clock.monotonicMs();
  }

  #pathOf(name: SegmentName): string {
    return `${this.#directory}/${name.file}`;
  }
}
