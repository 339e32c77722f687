/** The part of HTTP/2's framing (RFC 9113, sections 4 and 6) that a load generator needs: numbers and header bytes. */
export const FRAME_HEADER_BYTES = 9;
export const DEFAULT_WINDOW_BYTES = 65_535;
export const WINDOW_BYTES_MAX = 0x7fffffff;
export const STREAM_ID_MAX = 0x7fffffff;
export const DEFAULT_FRAME_BYTES = 16_384;

export const CLIENT_PREFACE = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

export const FrameType = {
  Data: 0,
  Headers: 1,
  ResetStream: 3,
  Settings: 4,
  Ping: 6,
  GoAway: 7,
  WindowUpdate: 8,
  Continuation: 9,
} as const;

export const Flag = {
  EndStream: 0x1,
  Ack: 0x1,
  EndHeaders: 0x4,
  Padded: 0x8,
  Priority: 0x20,
} as const;

export const Setting = {
  HeaderTableSize: 1,
  EnablePush: 2,
  MaxConcurrentStreams: 3,
  InitialWindowSize: 4,
  MaxFrameSize: 5,
} as const;

export function putFrameHeader(
  bytes: Uint8Array,
  at: number,
  payloadBytes: number,
  type: number,
  flags: number,
  streamId: number,
): void {
  bytes[at] = payloadBytes >>> 16;
  bytes[at + 1] = payloadBytes >>> 8;
  bytes[at + 2] = payloadBytes;
  bytes[at + 3] = type;
  bytes[at + 4] = flags;
  putUint32(bytes, at + 5, streamId);
}

export function putUint32(bytes: Uint8Array, at: number, value: number): void {
  bytes[at] = value >>> 24;
  bytes[at + 1] = value >>> 16;
  bytes[at + 2] = value >>> 8;
  bytes[at + 3] = value;
}

export function uint24At(bytes: Uint8Array, at: number): number {
  return (bytes[at]! << 16) | (bytes[at + 1]! << 8) | bytes[at + 2]!;
}

export function uint32At(bytes: Uint8Array, at: number): number {
  return ((bytes[at]! << 24) | uint24At(bytes, at + 1)) >>> 0;
}

/** Stream ids and window increments, whose top bit is reserved. */
export function uint31At(bytes: Uint8Array, at: number): number {
  return uint32At(bytes, at) & 0x7fffffff;
}

/** One SETTINGS frame holding these pairs of number and value. */
export function settingsFrame(pairs: readonly (readonly [number, number])[]): Uint8Array {
  const frame = new Uint8Array(FRAME_HEADER_BYTES + pairs.length * 6);
  putFrameHeader(frame, 0, pairs.length * 6, FrameType.Settings, 0, 0);
  pairs.forEach(([setting, value], i) => {
    const at = FRAME_HEADER_BYTES + i * 6;
    frame[at + 1] = setting;
    putUint32(frame, at + 2, value);
  });
  return frame;
}

export function windowUpdateFrame(streamId: number, increment: number): Uint8Array {
  const frame = new Uint8Array(FRAME_HEADER_BYTES + 4);
  putFrameHeader(frame, 0, 4, FrameType.WindowUpdate, 0, streamId);
  putUint32(frame, FRAME_HEADER_BYTES, increment);
  return frame;
}
