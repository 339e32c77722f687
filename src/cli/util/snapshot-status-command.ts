/** `snapshot status`: of etcdutl, and under etcdctl for those whose runbooks say so. */
import { DiskError } from "../../io/index.ts";
import { badArguments, ExitCode, ExitError, type FlagSet } from "../args/index.ts";
import { byteSizeText, jsonObject, tableText } from "../output/index.ts";
import type { UtilityContext } from "./context.ts";
import { type SnapshotStatus, snapshotStatus } from "./snapshot-status.ts";

export async function printSnapshotStatus(context: UtilityContext, flags: FlagSet): Promise<void> {
  if (flags.words.length !== 1) {
    badArguments("snapshot status requires exactly one argument");
  }
  const print = printerOf(flags.text("write-out"));
  const status = readStatus(context, flags.words[0]!);
  if ("failure" in status) throw new ExitError(ExitCode.error, status.failure);
  context.io.stdout.write(print(status));
}

function readStatus(
  { disk, newDigest }: UtilityContext,
  path: string,
): SnapshotStatus | { failure: string } {
  if (!disk.exists(path)) return { failure: `stat ${path}: no such file or directory` };
  if (disk.isDirectory(path)) return { failure: "invalid database" };
  try {
    const file = disk.open(path, { readOnly: true });
    try {
      return snapshotStatus(file, newDigest);
    } finally {
      file.close();
    }
  } catch (error) {
    if (error instanceof DiskError) return { failure: error.message };
    throw error;
  }
}

function printerOf(format: string): (status: SnapshotStatus) => string {
  switch (format) {
    case "simple":
      return (status) => `${columns(status).join(", ")}\n`;
    case "table":
      return (status) =>
        tableText(["HASH", "REVISION", "TOTAL KEYS", "TOTAL SIZE"], [columns(status)]);
    case "json":
      return ({ hash, revision, totalKeys, sizeBytes }) =>
        `${jsonObject([
          ["hash", String(hash)],
          ["revision", String(revision)],
          ["totalKey", String(totalKeys)],
          ["totalSize", String(sizeBytes)],
        ])}\n`;
    case "fields":
      return ({ hash, revision, totalKeys, sizeBytes }) =>
        `"Hash" : ${hash}\n"Revision" : ${revision}\n"Keys" : ${totalKeys}\n"Size" : ${sizeBytes}\n`;
    case "protobuf":
      throw new ExitError(ExitCode.badFeature, "protobuf not supported as output format");
    default:
      throw new ExitError(ExitCode.badFeature, "unsupported output format");
  }
}

function columns({ hash, revision, totalKeys, sizeBytes }: SnapshotStatus): string[] {
  return [hash.toString(16), String(revision), String(totalKeys), byteSizeText(sizeBytes)];
}
