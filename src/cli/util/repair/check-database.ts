/**
 * Reads a whole database file: every page is in its place, and every row is one that a member could have written.
 * The format has no checksums over pages, so a changed byte inside a value is not found here; comparing hashes with
 * other members finds it (the alarm CORRUPT).
 */
import { utf8Text } from "../../../base/bytes.ts";
import { TreeDamage } from "../../../bbolt/index.ts";
import { decodeMember, type Member } from "../../../cluster/index.ts";
import { DatabaseImage, isRevisionKey, revisionKeyMain } from "../../../database/index.ts";
import { type Disk, DiskError } from "../../../io/index.ts";
import { RecordReader } from "../../../mvcc/index.ts";

export type DatabaseState =
  | { readonly kind: "missing" }
  | { readonly kind: "damaged"; readonly problem: string }
  | WholeDatabase;

export interface WholeDatabase {
  readonly kind: "whole";
  /** The log entry up to which it holds everything. */
  readonly index: number;
  readonly term: number;
  readonly revision: number;
  readonly members: readonly Member[];
  readonly removed: readonly bigint[];
}

const ELEMENTS_PER_STEP = 100_000;

export function checkDatabase(disk: Disk, path: string): DatabaseState {
  if (!disk.exists(path)) return { kind: "missing" };
  const image = DatabaseImage.open(disk, path);
  if (typeof image === "string") return { kind: "damaged", problem: image };
  try {
    while (!image.checkStep(ELEMENTS_PER_STEP));
    const [problem] = image.problems;
    if (problem !== undefined) return { kind: "damaged", problem: `${path}: ${problem}` };
    return contentOf(image, path);
  } catch (error) {
    if (!(error instanceof TreeDamage || error instanceof DiskError)) throw error;
    return { kind: "damaged", problem: error.message };
  } finally {
    image.close();
  }
}

function contentOf(image: DatabaseImage, path: string): DatabaseState {
  const reader = new RecordReader();
  let revision = 0;
  let problem: string | null = null;
  image.forEach("key", (key, value) => {
    if (problem !== null) return;
    if (!isRevisionKey(key)) problem = "the key bucket holds a row that is no revision";
    else if (!reader.read(value) || reader.keyEnd === reader.keyStart) {
      problem = `the record of revision ${revisionKeyMain(key)} cannot be read`;
    } else revision = revisionKeyMain(key);
  });
  const members: Member[] = [];
  image.forEach("members", (_key, value) => {
    const member = decodeMember(utf8Text(value));
    if (member === undefined) problem = "a row of the members cannot be read";
    else members.push(member);
  });
  const removed: bigint[] = [];
  image.forEach("members_removed", (key) => {
    const text = utf8Text(key);
    if (/^[0-9a-f]{1,16}$/.test(text)) removed.push(BigInt(`0x${text}`));
    else problem = "a row of the removed members cannot be read";
  });
  if (problem !== null) return { kind: "damaged", problem: `${path}: ${problem}` };
  const { consistentIndex: index, consistentTerm: term } = image;
  return { kind: "whole", index, term, revision, members, removed };
}
