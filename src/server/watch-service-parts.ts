/** What the watch service is built from, and its limits. */
import type { CallContext, EtcdError, ResponseHeaderInit } from "../api/index.ts";
import type { Clock, Random } from "../io/index.ts";
import type { WatchHub } from "../mvcc/watch/index.ts";

/** etcd's default and lower bound of the progress interval. */
export const PROGRESS_NOTIFY_INTERVAL_MS_DEFAULT = 600_000;
export const PROGRESS_NOTIFY_INTERVAL_MS_MIN = 100;

/** Generous: one stream of a proxy may carry the watches of a whole site. A bound against runaway clients. */
export const WATCHERS_PER_STREAM_MAX = 100_000;

/** Bytes that may wait in one stream before its watchers are parked; one response may go over. */
export const STREAM_QUEUE_BYTES_MAX = 1 << 20;

/** Whether the caller may watch the range; null when it may. Asked once, when a watcher is created. */
export type WatchPermission = (
  context: CallContext,
  key: Uint8Array,
  rangeEnd: Uint8Array,
) => EtcdError | null;

export interface WatchServiceParts {
  readonly hub: WatchHub;
  readonly clock: Clock;
  readonly random: Random;
  /** Runs a task in spare turns until it answers false. */
  readonly background: { add(task: () => boolean): void };
  readonly headers: { header(revision: number): ResponseHeaderInit };
  readonly permission: WatchPermission;
  readonly limits: WatchServiceLimits;
}

export interface WatchServiceLimits {
  /** Shorter intervals than PROGRESS_NOTIFY_INTERVAL_MS_MIN are raised to it, as etcd does. */
  readonly progressNotifyIntervalMs: number;
  /** Above this a response is split for watchers that asked for fragments: the server's receive limit. */
  readonly fragmentBytesMax: number;
  readonly streamQueueBytesMax: number;
  readonly watchersPerStreamMax: number;
}
