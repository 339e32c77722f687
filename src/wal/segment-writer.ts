/**
 * SHELL. The segment that is being written: puts sealed batches and marks where the chain says, one after
 * the other. Syncing, and waiting for it before the next write, is the log's business.
 */
import type { Disk, DiskFile } from "../io/index.ts";
import type { BatchBuilder } from "./batch-builder.ts";
import { BATCH_HEADER_BYTES } from "./format.ts";
import type { ChainState } from "./segment-reader.ts";
import type { SegmentStart } from "./segment-start.ts";
import { writeMark } from "./tail.ts";

export class SegmentWriter {
  readonly chain: ChainState;
  file: DiskFile;
  #fileBytes: number;
  #markWritten = false;

  /** `fileBytes`: the size to which the file was preallocated. */
  constructor(file: DiskFile, fileBytes: number, chain: ChainState) {
    this.file = file;
    this.#fileBytes = fileBytes;
    this.chain = chain;
  }

  /** True where a mark stands behind the last batch already. */
  get markWritten(): boolean {
    return this.#markWritten;
  }

  /** Room for a mark stays at the end of every segment. A fresh segment takes a batch of any size. */
  fits(batchBytes: number): boolean {
    const end = this.chain.offset + batchBytes + BATCH_HEADER_BYTES;
    return end <= this.#fileBytes || this.chain.previous.offset === 0;
  }

  /** Seals and writes the batch with one call and empties the builder. Returns the bytes written. */
  writeBatch(builder: BatchBuilder, lastIndex: number, lastTerm: number): number {
    const chain = this.chain;
    const end = chain.offset + builder.sealedBytes + BATCH_HEADER_BYTES;
    if (end > this.#fileBytes) {
      this.file.preallocate(end);
      this.#fileBytes = end;
    }
    const identity = builder.seal({
      number: chain.nextNumber,
      segment: chain.segment,
      offset: chain.offset,
      flags: 0,
      logId: chain.logId,
      lastIndex,
      lastTerm,
      previous: chain.previous,
    });
    this.file.writeAt(builder.bytes, 0, identity.bytes, chain.offset);
    builder.reset();
    chain.previous = identity;
    chain.offset += identity.bytes;
    chain.nextNumber++;
    this.#markWritten = false;
    return identity.bytes;
  }

  /** Writes the mark that proves the last batch synced, where the next batch will overwrite it. */
  writeMark(flags: number): void {
    const bytes = new Uint8Array(BATCH_HEADER_BYTES);
    writeMark(bytes, this.chain, flags);
    this.file.writeAt(bytes, 0, bytes.length, this.chain.offset);
    this.#markWritten = true;
  }

  /** Goes on in the next segment, whose first batch is durable under its final name. */
  switchTo(disk: Disk, path: string, fileBytes: number, start: SegmentStart): void {
    this.file.close();
    this.file = disk.open(path);
    this.#fileBytes = fileBytes;
    this.#markWritten = false;
    this.chain.segment++;
    this.chain.previous = start.identity;
    this.chain.offset = start.identity.bytes;
    this.chain.nextNumber++;
  }
}
