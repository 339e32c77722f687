/**
 * Raft's messages as frames. A connection belongs to one sender and one receiver, so `from` and `to` do not travel.
 * Messages with entries or proposals are laid out by hand, so that data is copied once; everything else is a CBOR
 * array [tag, term, ...fields]. Tags are for ever; a field may only be added behind the others, with a new protocol
 * number (hello.ts).
 *
 *   append   term 8, previous index 8, previous term 8, commit 8, count 4, then for each entry: term 8, kind 1,
 *            bytes 4, data. Entries are contiguous: the first one's index is the previous index plus one.
 *   propose  term 8, count 4, then for each proposal: kind 1, bytes 4, data
 *
 * Decoding gives views of the frame's bytes, and null for what is no message.
 */
import { assert } from "../base/assert.ts";
import { CborError, type CborValue, decodeCbor, encodeCbor } from "../base/cbor.ts";
import type { Entry, Message, Proposal } from "../raft/index.ts";
import {
  BodyReader,
  FRAME_APPEND,
  FRAME_MESSAGE,
  FRAME_PROPOSE,
  type FrameWriter,
} from "./frame.ts";
import { type ColdMessage, fieldsOf, messageOfFields } from "./message-fields.ts";

type Append = Extract<Message, { kind: "append" }>;
type Propose = Extract<Message, { kind: "propose" }>;

const APPEND_BYTES = 36;
const ENTRY_BYTES = 13;
const PROPOSE_BYTES = 12;
const PROPOSAL_BYTES = 5;

/** Messages that may be long: they queue behind each other and may be dropped when the peer is slow. */
export function isBulk(message: Message): message is Append | Propose {
  return message.kind === "append" || message.kind === "propose";
}

/** About what a message takes in a frame. */
export function messageBytes(message: Message): number {
  if (message.kind === "append") {
    let bytes = APPEND_BYTES + message.entries.length * ENTRY_BYTES;
    for (let i = 0; i < message.entries.length; i++) bytes += message.entries[i]!.data.length;
    return bytes;
  }
  if (message.kind === "propose") {
    let bytes = PROPOSE_BYTES + message.proposals.length * PROPOSAL_BYTES;
    for (let i = 0; i < message.proposals.length; i++) bytes += message.proposals[i]!.data.length;
    return bytes;
  }
  return 64;
}

/** Adds one frame. */
export function writeMessage(message: Message, writer: FrameWriter): void {
  if (message.kind === "append") writeAppend(message, writer);
  else if (message.kind === "propose") writePropose(message, writer);
  else {
    writer.begin(FRAME_MESSAGE);
    writer.put(encodeMessage(message));
    writer.finish();
  }
}

export function encodeMessage(message: ColdMessage): Uint8Array {
  return encodeCbor(fieldsOf(message));
}

/** The message of a frame of one of the three message kinds; null when it is none. */
export function readMessage(
  kind: number,
  body: Uint8Array,
  from: bigint,
  to: bigint,
): Message | null {
  if (kind === FRAME_APPEND) return readAppend(body, from, to);
  if (kind === FRAME_PROPOSE) return readPropose(body, from, to);
  return kind === FRAME_MESSAGE ? decodeMessage(body, from, to) : null;
}

export function decodeMessage(body: Uint8Array, from: bigint, to: bigint): ColdMessage | null {
  const value = decodeOrNull(body);
  return Array.isArray(value) ? messageOfFields(value, from, to) : null;
}

/** Null also stands for bytes that are no CBOR. */
export function decodeOrNull(bytes: Uint8Array): CborValue {
  try {
    return decodeCbor(bytes);
  } catch (error) {
    if (error instanceof CborError) return null;
    throw error;
  }
}

function writeAppend(message: Append, writer: FrameWriter): void {
  const { entries, previousIndex } = message;
  writer.begin(FRAME_APPEND);
  writer.uint53(message.term);
  writer.uint53(previousIndex);
  writer.uint53(message.previousTerm);
  writer.uint53(message.commit);
  writer.uint32(entries.length);
  for (let i = 0; i < entries.length; i++) {
    const entry = entries[i]!;
    assert(
      entry.index === previousIndex + 1 + i,
      `entry ${entry.index} is at place ${i} behind ${previousIndex}`,
    );
    writer.uint53(entry.term);
    writer.uint8(entry.kind);
    writer.uint32(entry.data.length);
    writer.put(entry.data);
  }
  writer.finish();
}

function readAppend(body: Uint8Array, from: bigint, to: bigint): Append | null {
  const reader = new BodyReader(body);
  const term = reader.uint53();
  const previousIndex = reader.uint53();
  const previousTerm = reader.uint53();
  const commit = reader.uint53();
  const count = reader.uint32();
  if (!reader.isWhole || count * ENTRY_BYTES > reader.remaining) return null;
  if (!Number.isSafeInteger(previousIndex + count)) return null;
  const entries: Entry[] = [];
  for (let i = 0; i < count; i++) {
    const entryTerm = reader.uint53();
    const kind = reader.uint8();
    const data = reader.take(reader.uint32());
    if (!reader.isWhole) return null;
    entries.push({ term: entryTerm, index: previousIndex + 1 + i, kind, data });
  }
  if (!reader.isAtEnd) return null;
  return { kind: "append", from, to, term, previousIndex, previousTerm, commit, entries };
}

function writePropose(message: Propose, writer: FrameWriter): void {
  const { proposals } = message;
  writer.begin(FRAME_PROPOSE);
  writer.uint53(message.term);
  writer.uint32(proposals.length);
  for (let i = 0; i < proposals.length; i++) {
    const { kind, data } = proposals[i]!;
    writer.uint8(kind);
    writer.uint32(data.length);
    writer.put(data);
  }
  writer.finish();
}

function readPropose(body: Uint8Array, from: bigint, to: bigint): Propose | null {
  const reader = new BodyReader(body);
  const term = reader.uint53();
  const count = reader.uint32();
  if (!reader.isWhole || count * PROPOSAL_BYTES > reader.remaining) return null;
  const proposals: Proposal[] = [];
  for (let i = 0; i < count; i++) {
    const kind = reader.uint8();
    const data = reader.take(reader.uint32());
    if (!reader.isWhole) return null;
    proposals.push({ kind, data });
  }
  return reader.isAtEnd ? { kind: "propose", from, to, term, proposals } : null;
}
