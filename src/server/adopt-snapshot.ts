/**
 * Finishes, or cleans up after, a snapshot that was being received when the process ended. Called once at a start, by
 * whoever holds the lock of the database file, before the database and the log are opened.
 *
 * A received snapshot is the member's state from the moment that its mark in the write-ahead log is durable. So:
 *
 *   newest mark > the database's applied index   the file of that mark becomes the database (it was made durable
 *                                                before the mark)
 *   otherwise                                    the database is at the mark or beyond it, or the mark never came:
 *                                                what lies there is of no use
 *
 * Going through it again after another crash ends in the same state.
 */
import { DatabaseImage } from "../database/index.ts";
import type { Disk, Logger } from "../io/index.ts";
import { makeLogDurable, newestSnapshotMark } from "../wal/index.ts";
import { SnapshotFiles } from "./snapshot-files.ts";
import { StartProblem } from "./start-problem.ts";

export interface AdoptionOptions {
  readonly disk: Disk;
  readonly logger: Logger;
  readonly snapshotDirectory: string;
  readonly databasePath: string;
  readonly walDirectory: string;
  /** There is a write-ahead log. */
  readonly hasLog: boolean;
}

/**
 * The index of the snapshot that took the database's place, or 0. After an adoption a handle that was opened before
 * leads to the old file (`DiskFile.isCurrent`). Throws StartProblem, WalDamage, DiskError.
 */
export function adoptReceivedSnapshot(options: AdoptionOptions): number {
  const { disk, snapshotDirectory } = options;
  const files = new SnapshotFiles(disk, snapshotDirectory);
  for (const name of files.parts()) disk.remove(`${snapshotDirectory}/${name}`);
  const present = files.present();
  if (present.length === 0) return 0;
  const adopted = options.hasLog ? adopt(options, files) : 0;
  for (const index of present) files.discard(index);
  // Before the database is written to: were its new name lost then, the old one would stand beside a log that is ahead.
  disk.syncDirectory(snapshotDirectory);
  return adopted;
}

function adopt(options: AdoptionOptions, files: SnapshotFiles): number {
  const { disk, logger, databasePath, walDirectory } = options;
  const mark = newestSnapshotMark(disk, walDirectory);
  if (mark === null || appliedIndexOf(disk, databasePath) >= mark.index) return 0;
  const path = files.pathOf(mark.index);
  if (!disk.exists(path)) {
    throw new StartProblem(
      `failed to find database snapshot file (snap: snapshot file doesn't exist): the write-ahead log goes on from a ` +
        `received snapshot at index ${mark.index}, but neither the database nor ${path} is that far; restore this ` +
        "member, or remove it from the cluster and add it again",
    );
  }
  const received = appliedIndexOf(disk, path);
  if (received !== mark.index) {
    throw new StartProblem(
      `the received snapshot ${path} holds the state at index ${received}: another file was put in its place`,
    );
  }
  logger.info("Recovering from snapshot backend", { path, "snapshot-index": mark.index });
  // A mark that only the system's memory holds (the process was killed) must not be lost behind the database.
  makeLogDurable(disk, walDirectory);
  disk.rename(path, databasePath);
  return mark.index;
}

function appliedIndexOf(disk: Disk, path: string): number {
  const image = DatabaseImage.open(disk, path);
  if (typeof image === "string") throw new StartProblem(image);
  try {
    return image.consistentIndex;
  } finally {
    image.close();
  }
}
