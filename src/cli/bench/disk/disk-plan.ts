/** What a disk run does: its series in order, from the flags. */
import type { FlagSet } from "../../args/index.ts";
import { badFlag, boundedNumber } from "../number-flags.ts";
import { parseByteSize } from "./parse-byte-size.ts";

export const PAGE_BYTES = 4096;
/** What the WAL writes at once: one small put, etcd's recommendation for fio, a batch of a busy member. */
const APPEND_BYTES: readonly number[] = [300, 2300, 16_384];
const GROWING_BYTES = 2300;
export const FILE_BYTES_MIN = 64 * 1024;
const FILE_BYTES_MAX = 1024 ** 4;
const JOBS_MAX = 64;
const SECONDS_MAX = 24 * 3600;
const BLOCK_BYTES_MAX = 16 << 20;

export type SeriesKind = "append-prepared" | "append-growing" | "page-write" | "page-read";

export interface Series {
  readonly kind: SeriesKind;
  readonly blockBytes: number;
  /** Of all operations, over all jobs. */
  readonly durationMs: number;
}

export interface DiskPlan {
  readonly directory: string;
  readonly fileBytes: number;
  readonly jobs: number;
  readonly series: readonly Series[];
}

export function diskPlan(flags: FlagSet): DiskPlan {
  if (flags.words.length > 1) badFlag("disk takes one directory");
  const seconds = Number(flags.text("seconds"));
  if (!(seconds > 0 && seconds <= SECONDS_MAX)) badFlag("--seconds must be a number above zero");
  const fileBytes = byteSize(flags, "size", FILE_BYTES_MIN, FILE_BYTES_MAX);
  const block = flags.changed("block") ? byteSize(flags, "block", 1, BLOCK_BYTES_MAX) : null;
  if (block !== null && block * 4 > fileBytes) badFlag("--size must be four times --block or more");
  const kinds: [SeriesKind, number][] = [
    ...(block === null ? APPEND_BYTES : [block]).map((bytes): [SeriesKind, number] => [
      "append-prepared",
      bytes,
    ]),
    ["page-write", PAGE_BYTES],
    ["page-read", PAGE_BYTES],
    ["append-growing", block ?? GROWING_BYTES],
  ];
  const durationMs = (seconds * 1000) / kinds.length;
  return {
    directory: flags.words[0] ?? ".",
    fileBytes,
    jobs: boundedNumber(flags, "jobs", 1, JOBS_MAX),
    series: kinds.map(([kind, blockBytes]) => ({ kind, blockBytes, durationMs })),
  };
}

export function seriesName({ kind, blockBytes }: Series): string {
  switch (kind) {
    case "append-prepared":
      return `append ${blockBytes} B + fdatasync, preallocated`;
    case "append-growing":
      return `append ${blockBytes} B + fdatasync, growing`;
    case "page-write":
      return `random ${blockBytes} B write + fdatasync`;
    case "page-read":
      return `random ${blockBytes} B read`;
  }
}

function byteSize(flags: FlagSet, name: string, least: number, most: number): number {
  const text = flags.text(name);
  const bytes = parseByteSize(text);
  if (bytes === null) badFlag(`--${name}: ${JSON.stringify(text)} is no size such as 4096 or 64M`);
  if (bytes < least || bytes > most) {
    badFlag(`--${name} must be between ${least} and ${most} bytes`);
  }
  return bytes;
}
