/**
 * Opens the database file for a member alone: only one process may have it. A snapshot that was being received when
 * the last one ended becomes the database first, or is cleaned away.
 */
import { Database } from "../database/index.ts";
import type { DiskFile } from "../io/index.ts";
import { adoptReceivedSnapshot } from "./adopt-snapshot.ts";
import type { BootstrapOptions, MemberPaths } from "./bootstrap-options.ts";

const LOCK_WARNING_EVERY = 10_000;
const LOCK_RETRY_MS = 100;

export function openDatabase(
  options: BootstrapOptions,
  paths: MemberPaths,
  hasLog: boolean,
): Database {
  const { disk, logger, clock, walDirectory } = options;
  const { databasePath } = paths;
  const startMs = clock.monotonicMs();
  let file = openLocked(options, databasePath);
  try {
    const adopted = adoptReceivedSnapshot({ disk, logger, ...paths, walDirectory, hasLog });
    if (adopted > 0) {
      const current = openLocked(options, databasePath);
      file.close();
      file = current;
    }
    const database = Database.open({
      file,
      pageCacheBytes: options.pageCacheBytes,
      onFailure: options.onDiskFailure,
    });
    const took = `${(clock.monotonicMs() - startMs).toFixed(3)}ms`;
    logger.info("opened backend db", { path: databasePath, took });
    return database;
  } catch (error) {
    file.close();
    throw error;
  }
}

/** The file that has the name now: the process that held the lock may have put a received one in its place. */
function openLocked(options: BootstrapOptions, path: string): DiskFile {
  for (;;) {
    const file = options.disk.open(path, { create: true });
    lock(options, file, path);
    if (file.isCurrent()) return file;
    file.close();
  }
}

function lock({ logger, clock }: BootstrapOptions, file: DiskFile, path: string): void {
  let warnedMs = clock.monotonicMs();
  while (!file.tryLock()) {
    // As etcd: wait for the other process, and say so.
    if (clock.monotonicMs() - warnedMs >= LOCK_WARNING_EVERY) {
      warnedMs = clock.monotonicMs();
      logger.warn("db file is flocked by another process, or taking too long", { path });
    }
    sleepBlocking(LOCK_RETRY_MS);
  }
}

/** Blocks the thread: at start nothing else may happen before the database is ours. */
function sleepBlocking(ms: number): void {
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, ms);
}
