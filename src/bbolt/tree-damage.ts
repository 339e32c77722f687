/**
 * The one error class for bytes that cannot be what was written: thrown by opening and by every
 * read that meets a damaged page, caught at the edge. It names the file, the page and what an
 * operator can do.
 */
const ADVICE =
  "check the disk; in a cluster `cairn util repair` fetches the file from another member, else restore a snapshot";

export class TreeDamage extends Error {
  override name = "TreeDamage";
  readonly path: string;
  /** The page that is wrong; its offset in the file is pageId * page size. */
  readonly pageId: number;
  readonly reason: string;
  /** What to do, for people. */
  readonly advice: string;
  constructor(path: string, pageId: number, reason: string, advice = ADVICE) {
    super(`${path}: page ${pageId}: ${reason}; ${advice}`);
    this.path = path;
    this.pageId = pageId;
    this.reason = reason;
    this.advice = advice;
  }
}
