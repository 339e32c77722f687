const ADVICE =
  "check the disk; in a cluster `cairn util repair` fetches the file from another member, else restore a snapshot";

/**
 * The database holds what no etcd or cairn ever writes, or lacks what must be there. Thrown while opening, reading,
 * sweeping or hashing.
 */
export class DatabaseDamage extends Error {
  override name = "DatabaseDamage";
  readonly path: string;
  constructor(path: string, reason: string) {
    super(`${path}: ${reason}; ${ADVICE}`);
    this.path = path;
  }
}
