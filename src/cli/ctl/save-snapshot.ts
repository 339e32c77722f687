/**
 * Downloads a member's database into a file. The file appears under its name only when it is whole: it is
 * written as NAME.part, checked against the SHA-256 at its end, synced, renamed, and the rename is synced.
 */
import { EtcdError } from "../../api/index.ts";
import type { CallOptions } from "../../client/index.ts";
import { parentDirectory } from "../../io/bun/index.ts";
import { DiskError, type DiskFile } from "../../io/index.ts";
import { ExitCode, ExitError } from "../args/index.ts";
import { byteSizeText } from "../output/index.ts";
import { type ControlContext, logTo } from "./context.ts";
import { fileErrorText } from "./file-error.ts";
import { errorText, type Session } from "./session.ts";
import { writeSnapshot } from "./write-snapshot.ts";

const CALLER = "ctl/save-snapshot.ts";

export async function saveSnapshot(
  session: Session,
  path: string,
  options: CallOptions,
): Promise<void> {
  const { context, endpoints } = session;
  if (endpoints.length !== 1) {
    fail(`snapshot must be requested to one selected node, not multiple [${endpoints.join(" ")}]`);
  }
  const partPath = `${path}.part`;
  const file = createPart(context, partPath);
  let whole = false;
  try {
    log(context, "created temporary db file", [["path", partPath]]);
    await download(session, file, endpoints[0]!, options);
    file.syncNow();
    whole = true;
  } catch (error) {
    if (error instanceof EtcdError) fail(errorText(error));
    if (error instanceof DiskError) fail(`could not write ${partPath} (${error.message})`);
    throw error;
  } finally {
    file.close();
    if (!whole) context.disk.remove(partPath);
  }
  context.disk.rename(partPath, path);
  context.disk.syncDirectory(parentDirectory(path));
  log(context, "saved", [["path", path]]);
}

function createPart(context: ControlContext, partPath: string): DiskFile {
  try {
    const file = context.disk.open(partPath, { create: true });
    file.truncate(0);
    return file;
  } catch (error) {
    if (!(error instanceof DiskError)) throw error;
    return fail(`could not open ${partPath} (${fileErrorText("open", partPath, error)})`);
  }
}

async function download(
  session: Session,
  file: DiskFile,
  endpoint: string,
  options: CallOptions,
): Promise<void> {
  const { context, client } = session;
  const startedMs = context.clock.monotonicMs();
  const responses = await client.maintenance.snapshot(options);
  log(context, "opened snapshot stream; downloading", [], "client");
  log(context, "fetching snapshot", [["endpoint", endpoint]]);
  const sizeBytes = await writeSnapshot(context.newDigest, file, responses);
  log(context, "completed snapshot read; closing", [], "client");
  log(context, "fetched snapshot", [
    ["endpoint", endpoint],
    ["size", byteSizeText(sizeBytes)],
    ["took", agoText(context.clock.monotonicMs() - startedMs)],
  ]);
}

function log(
  context: ControlContext,
  message: string,
  fields: readonly (readonly [string, string])[],
  logger?: string,
): void {
  logTo(context, {
    level: "info",
    ...(logger === undefined ? {} : { logger }),
    caller: CALLER,
    message,
    fields,
  });
}

const MS_PER_SECOND = 1000;
const MS_PER_MINUTE = 60_000;

/** How long ago something began, in the words of etcd's log. */
function agoText(elapsedMs: number): string {
  if (elapsedMs < MS_PER_SECOND) return "now";
  if (elapsedMs < MS_PER_MINUTE) {
    const seconds = Math.floor(elapsedMs / MS_PER_SECOND);
    return seconds === 1 ? "1 second ago" : `${seconds} seconds ago`;
  }
  const minutes = Math.floor(elapsedMs / MS_PER_MINUTE);
  return minutes === 1 ? "1 minute ago" : `${minutes} minutes ago`;
}

function fail(message: string): never {
  throw new ExitError(ExitCode.interrupted, message);
}
