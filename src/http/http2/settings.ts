/** The SETTINGS we announce, and the client's SETTINGS checked against RFC 9113, section 6.5.2. */
import type { ProtoWriter } from "../../api/index.ts";
import {
  DEFAULT_WINDOW_BYTES,
  ErrorCode,
  FRAME_HEADER_BYTES,
  FrameType,
  LARGEST_MAX_FRAME_BYTES,
  MIN_MAX_FRAME_BYTES,
  putFrameHeader,
  putUint32,
  Setting,
  uint32At,
  WINDOW_BYTES_MAX,
} from "./frame.ts";
import { type Http2Limits, UNLIMITED_STREAMS } from "./limits.ts";

const SETTING_BYTES = 6;
const DEFAULT_HEADER_TABLE_BYTES = 4096;

/** Our SETTINGS, and the connection window on top of the 65,535 bytes that it starts with. */
export function writeInitialFrames(out: ProtoWriter, limits: Http2Limits): void {
  const settings: [number, number][] = [
    [Setting.InitialWindowSize, limits.streamWindowBytes],
    [Setting.MaxHeaderListSize, limits.headerListBytesMax],
  ];
  if (limits.maxConcurrentStreams < UNLIMITED_STREAMS) {
    settings.push([Setting.MaxConcurrentStreams, limits.maxConcurrentStreams]);
  }
  if (limits.maxFrameBytes !== MIN_MAX_FRAME_BYTES) {
    settings.push([Setting.MaxFrameSize, limits.maxFrameBytes]);
  }
  if (limits.headerTableBytesMax !== DEFAULT_HEADER_TABLE_BYTES) {
    settings.push([Setting.HeaderTableSize, limits.headerTableBytesMax]);
  }
  const payloadBytes = settings.length * SETTING_BYTES;
  out.reserve(FRAME_HEADER_BYTES * 2 + payloadBytes + 4);
  putFrameHeader(out.bytes, out.position, payloadBytes, FrameType.Settings, 0, 0);
  out.position += FRAME_HEADER_BYTES;
  for (const [id, value] of settings) {
    out.bytes[out.position] = 0;
    out.bytes[out.position + 1] = id;
    putUint32(out.bytes, out.position + 2, value);
    out.position += SETTING_BYTES;
  }
  const extra = limits.connectionWindowBytes - DEFAULT_WINDOW_BYTES;
  if (extra <= 0) return;
  putFrameHeader(out.bytes, out.position, 4, FrameType.WindowUpdate, 0, 0);
  putUint32(out.bytes, out.position + FRAME_HEADER_BYTES, extra);
  out.position += FRAME_HEADER_BYTES + 4;
}

export interface SettingsTarget {
  setHeaderTableBytes(bytes: number): void;
  /** False when a stream's window would overflow. */
  setInitialWindow(bytes: number): boolean;
  setMaxFrameBytes(bytes: number): void;
}

/** Applies a SETTINGS payload in order. Returns an error code for the connection, or NoError. */
export function applySettings(
  bytes: Buffer,
  start: number,
  end: number,
  target: SettingsTarget,
): number {
  if ((end - start) % SETTING_BYTES !== 0) return ErrorCode.FrameSizeError;
  for (let at = start; at < end; at += SETTING_BYTES) {
    const value = uint32At(bytes, at + 2);
    switch ((bytes[at]! << 8) | bytes[at + 1]!) {
      case Setting.HeaderTableSize:
        target.setHeaderTableBytes(value);
        break;
      case Setting.EnablePush:
        if (value > 1) return ErrorCode.ProtocolError;
        break;
      case Setting.InitialWindowSize:
        if (value > WINDOW_BYTES_MAX || !target.setInitialWindow(value)) {
          return ErrorCode.FlowControlError;
        }
        break;
      case Setting.MaxFrameSize:
        if (value < MIN_MAX_FRAME_BYTES || value > LARGEST_MAX_FRAME_BYTES) {
          return ErrorCode.ProtocolError;
        }
        target.setMaxFrameBytes(value);
        break;
    }
  }
  return ErrorCode.NoError;
}
