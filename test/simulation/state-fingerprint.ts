/** The replicated state of a member as one short text: equal states have equal ones. */
import type { Member } from "../../src/server/index.ts";

export class TextHash {
  #low = 0x811c9dc5;
  #high = 0x1b873593;

  bytes(bytes: Uint8Array): void {
    let low = this.#low;
    let high = this.#high;
    for (let i = 0; i < bytes.length; i++) {
      low = Math.imul(low ^ bytes[i]!, 0x01000193);
      high = (Math.imul(high, 31) + bytes[i]!) | 0;
    }
    this.#low = low ^ bytes.length;
    this.#high = high;
  }

  add(text: string): void {
    for (let i = 0; i < text.length; i++) {
      this.#low = Math.imul(this.#low ^ text.charCodeAt(i), 0x01000193);
      this.#high = (Math.imul(this.#high, 31) + text.charCodeAt(i)) | 0;
    }
  }

  text(): string {
    return (this.#low >>> 0).toString(16) + (this.#high >>> 0).toString(16);
  }
}

const FROM = new Uint8Array(1);
const OPEN_END = new Uint8Array(1);

/** Keys, leases and what hangs on them, members, alarms, revisions. Not the time that leases have left. */
export function stateFingerprint({ state }: Member): string {
  const { store, lessor, membership, alarms } = state;
  const hash = new TextHash();
  store.visit(FROM, OPEN_END, 0, false, (record) => {
    hash.bytes(record);
    return true;
  });
  const leases = lessor.byExpiry().sort((a, b) => (a.id < b.id ? -1 : 1));
  for (const { id, ttlSeconds } of leases) {
    hash.add(`${id} ${ttlSeconds}`);
    for (const key of lessor.sortedKeys(id)) hash.bytes(key);
  }
  for (const each of membership.members()) hash.add(JSON.stringify(each, withBigints));
  for (const { memberId, type } of alarms.list()) hash.add(`${memberId} ${type}`);
  const revisions = `${store.revision()}/${store.compactRevision()}`;
  return `${revisions} ${leases.length} leases ${hash.text()}`;
}

/** Every row of every revision that is kept, tombstones too. At rest only: after a commit. */
export function rowsFingerprint({ state }: Member): string {
  const hash = new TextHash();
  let count = 0;
  for (const rows = state.storage.database.rows(0, 0); rows.next(); count++) {
    hash.bytes(rows.key());
    hash.bytes(rows.value());
  }
  return `${count} rows ${hash.text()}`;
}

function withBigints(_key: string, value: unknown): unknown {
  return typeof value === "bigint" ? value.toString() : value;
}
