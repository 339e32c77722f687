/** Opens the database file for a member alone: only one process may have it. */
import { Database } from "../database/index.ts";
import type { BootstrapOptions } from "./bootstrap-options.ts";

const LOCK_WARNING_EVERY = 10_000;
const LOCK_RETRY_MS = 100;

export function openDatabase(options: BootstrapOptions, path: string): Database {
  const { disk, logger, clock } = options;
  const startMs = clock.monotonicMs();
  const file = disk.open(path, { create: true });
  let warnedMs = startMs;
  while (!file.tryLock()) {
    // As etcd: wait for the other process, and say so.
    if (clock.monotonicMs() - warnedMs >= LOCK_WARNING_EVERY) {
      warnedMs = clock.monotonicMs();
      logger.warn("db file is flocked by another process, or taking too long", { path });
    }
    sleepBlocking(LOCK_RETRY_MS);
  }
  const database = Database.open({
    file,
    pageCacheBytes: options.pageCacheBytes,
    onFailure: options.onDiskFailure,
  });
  logger.info("opened backend db", {
    path,
    took: `${(clock.monotonicMs() - startMs).toFixed(3)}ms`,
  });
  return database;
}

/** Blocks the thread: at start nothing else may happen before the database is ours. */
function sleepBlocking(ms: number): void {
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, ms);
}
