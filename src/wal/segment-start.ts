/** The first batch of a segment: format version, whose log it is, and the newest hard state (etcd does the same). */
import { encodeCbor } from "../base/cbor.ts";
import { crc32c } from "../base/crc32c.ts";
import { BatchBuilder } from "./batch-builder.ts";
import type { BatchIdentity } from "./batch-header.ts";
import {
  FLAG_SEGMENT_START,
  FORMAT_VERSION,
  KIND_HARD_STATE,
  KIND_METADATA,
  KIND_SEGMENT_START,
} from "./format.ts";
import type { ChainState } from "./segment-reader.ts";
import type { HardState, WalMetadata } from "./types.ts";

export interface SegmentStart {
  readonly bytes: Uint8Array;
  readonly identity: BatchIdentity;
}

/** Encodes the first batch of segment `sequence`, which continues the log at `chain`. */
export function encodeSegmentStart(
  sequence: number,
  chain: ChainState,
  metadata: WalMetadata,
  hardState: HardState,
  segmentBytes: number,
): SegmentStart {
  const { lastIndex, lastTerm } = chain.previous;
  const builder = new BatchBuilder();
  const version = encodeCbor([FORMAT_VERSION, segmentBytes]);
  builder.addRecord(KIND_SEGMENT_START, lastTerm, lastIndex, version);
  builder.addRecord(KIND_METADATA, 0, 0, encodeMetadata(metadata));
  addHardState(builder, hardState);
  const identity = builder.seal({
    number: chain.nextNumber,
    segment: sequence,
    offset: 0,
    flags: FLAG_SEGMENT_START,
    logId: logIdOf(metadata),
    lastIndex,
    lastTerm,
    previous: chain.previous,
  });
  return { bytes: builder.bytes.subarray(0, identity.bytes), identity };
}

export function addHardState(builder: BatchBuilder, state: HardState): void {
  builder.addRecord(KIND_HARD_STATE, state.term, state.commit, encodeCbor([state.vote]));
}

/** Never 0, which stands for "not known yet". */
export function logIdOf(metadata: WalMetadata): number {
  return crc32c(encodeMetadata(metadata)) || 1;
}

function encodeMetadata(metadata: WalMetadata): Uint8Array {
  return encodeCbor([metadata.memberId, metadata.clusterId]);
}
