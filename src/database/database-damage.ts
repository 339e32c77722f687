/**
 * The database holds what no etcd or cairn ever writes. Thrown while opening, sweeping or hashing.
 */
export class DatabaseDamage extends Error {
  override name = "DatabaseDamage";
  readonly path: string;
  constructor(path: string, reason: string) {
    super(`${path}: ${reason}; restore a snapshot or remove this member and add it again`);
    this.path = path;
  }
}
