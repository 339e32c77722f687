/**
 * Who belongs to the cluster and which version it speaks: replicated facts, kept in the database's buckets
 * `members`, `members_removed` and `cluster` in etcd's form, with a copy in memory. Only the state machine changes it.
 */
import { utf8, utf8Text } from "../base/bytes.ts";
import type { Database } from "../database/index.ts";
import { decodeMember, encodeMember, hexId, type Member } from "./member.ts";

const CLUSTER_VERSION_KEY = utf8("clusterVersion");
const REMOVED = utf8("removed");

export class Membership {
  readonly #database: Database;
  readonly #members = new Map<bigint, Member>();
  readonly #removed = new Set<bigint>();
  #clusterVersion = "";

  constructor(database: Database) {
    this.#database = database;
    this.reload();
  }

  reload(): void {
    this.#members.clear();
    this.#removed.clear();
    this.#database.forEach("members", (_key, value) => {
      const member = decodeMember(utf8Text(value));
      if (member !== undefined) this.#members.set(member.id, member);
    });
    this.#database.forEach("members_removed", (key) => {
      this.#removed.add(BigInt(`0x${utf8Text(key)}`));
    });
    const version = this.#database.get("cluster", CLUSTER_VERSION_KEY);
    this.#clusterVersion = version === undefined ? "" : utf8Text(version);
  }

  /** Sorted by id. */
  members(): Member[] {
    return [...this.#members.values()].sort((a, b) => (a.id < b.id ? -1 : 1));
  }

  member(id: bigint): Member | undefined {
    return this.#members.get(id);
  }

  isRemoved(id: bigint): boolean {
    return this.#removed.has(id);
  }

  /** Of all times; a removed id never comes back. */
  removedIds(): bigint[] {
    return [...this.#removed];
  }

  /** Such as 3.7.0; empty until the cluster agreed on one. */
  clusterVersion(): string {
    return this.#clusterVersion;
  }

  /** Adds a member, or replaces it: applying the same change twice changes nothing. */
  add(member: Member): void {
    this.#members.set(member.id, member);
    this.#database.put("members", utf8(hexId(member.id)), utf8(encodeMember(member)));
  }

  /** A member tells its name and client URLs after it started. Unknown members are ignored, as in etcd. */
  setAttributes(id: bigint, name: string, clientUrls: readonly string[]): void {
    const member = this.#members.get(id);
    if (member !== undefined) this.add({ ...member, name, clientUrls });
  }

  remove(id: bigint): void {
    this.#members.delete(id);
    this.#removed.add(id);
    this.#database.delete("members", utf8(hexId(id)));
    this.#database.put("members_removed", utf8(hexId(id)), REMOVED);
  }

  setClusterVersion(version: string): void {
    this.#clusterVersion = version;
    this.#database.put("cluster", CLUSTER_VERSION_KEY, utf8(version));
  }
}
