/**
 * Damage to data that was already synced, or a log that cannot be whole. It is never repaired by dropping
 * data: whoever opens the log gets this error, and nothing on disk is changed.
 */
export class WalDamage extends Error {
  override name = "WalDamage";
  readonly file: string;
  readonly offset: number;
  readonly reason: string;
  readonly advice: string;
  constructor(file: string, offset: number, reason: string, advice: string = REBUILD_ADVICE) {
    super(`write-ahead log damaged: ${file} at offset ${offset}: ${reason}. ${advice}`);
    this.file = file;
    this.offset = offset;
    this.reason = reason;
    this.advice = advice;
  }
}

const REBUILD_ADVICE =
  "These bytes had been synced, so acknowledged writes may be among them; nothing was changed on disk. " +
  "Check the disk. In a cluster: `cairn util repair` replaces this member. " +
  "A single member: keep a copy of the data directory and restore the newest snapshot.";
