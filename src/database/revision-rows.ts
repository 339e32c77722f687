/** A walk over the rows of the `key` bucket in the order of changes. */
import type { Cursor } from "../bbolt/index.ts";
import { DatabaseDamage } from "./database-damage.ts";
import {
  isRevisionKey,
  revisionKey,
  revisionKeyMain,
  revisionKeySub,
  TOMBSTONE_KEY_BYTES,
} from "./revision-key.ts";

export class RevisionRows {
  readonly #cursor: Cursor;
  readonly #path: string;
  #start: Uint8Array | null;
  main = 0;
  sub = 0;
  tombstone = false;

  /** The first `next` goes to the first row at or after (main, sub). */
  constructor(cursor: Cursor, path: string, main: number, sub: number) {
    this.#cursor = cursor;
    this.#path = path;
    this.#start = revisionKey(main, sub, false);
  }

  next(): boolean {
    const found = this.#start === null ? this.#cursor.next() : this.#cursor.seek(this.#start);
    this.#start = null;
    if (!found) return false;
    const key = this.#cursor.key();
    if (!isRevisionKey(key)) {
      throw new DatabaseDamage(this.#path, "the key bucket holds a row that is no revision");
    }
    this.main = revisionKeyMain(key);
    this.sub = revisionKeySub(key);
    this.tombstone = key.length === TOMBSTONE_KEY_BYTES;
    return true;
  }

  /** The row's key as stored: a view of immutable memory. */
  key(): Uint8Array {
    return this.#cursor.key();
  }

  /** The row's value: a view of immutable memory. */
  value(): Uint8Array {
    return this.#cursor.value();
  }
}
