/** A walk over the rows of the `key` bucket in the order of changes. */
import type { Cursor } from "../bbolt/index.ts";
import { DatabaseDamage } from "./database-damage.ts";
import type { RevisionBuffer } from "./revision-buffer.ts";
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
  /** Rows that follow those of the cursor, not durable yet, in order. */
  readonly #buffers: readonly RevisionBuffer[];
  #state: "start" | "cursor" | "buffers" = "start";
  #buffer = 0;
  #index = -1;
  main: number;
  sub: number;
  tombstone = false;

  /** The first `next` goes to the first row at or after (main, sub). */
  constructor(
    cursor: Cursor,
    path: string,
    main: number,
    sub: number,
    buffers: readonly RevisionBuffer[] = [],
  ) {
    this.#cursor = cursor;
    this.#path = path;
    this.main = main;
    this.sub = sub;
    this.#buffers = buffers;
  }

  next(): boolean {
    if (this.#state === "buffers") return this.#nextBuffered();
    const { main, sub } = this;
    const found =
      this.#state === "cursor"
        ? this.#cursor.next()
        : this.#cursor.seek(revisionKey(main, sub, false));
    if (!found) {
      if (this.#state === "start") this.#skipBuffered(main, sub);
      this.#state = "buffers";
      return this.#nextBuffered();
    }
    this.#state = "cursor";
    const key = this.#cursor.key();
    if (!isRevisionKey(key)) {
      throw new DatabaseDamage(this.#path, "the key bucket holds a row that is no revision");
    }
    this.main = revisionKeyMain(key);
    this.sub = revisionKeySub(key);
    this.tombstone = key.length === TOMBSTONE_KEY_BYTES;
    return true;
  }

  /** The row's key as stored. */
  key(): Uint8Array {
    if (this.#state === "cursor") return this.#cursor.key();
    return revisionKey(this.main, this.sub, this.tombstone);
  }

  /** The row's value: immutable. */
  value(): Uint8Array {
    if (this.#state === "cursor") return this.#cursor.value();
    return this.#buffers[this.#buffer]!.value(this.#index);
  }

  /** Sets out before the first buffered row at or after (main, sub). */
  #skipBuffered(main: number, sub: number): void {
    for (; this.#buffer < this.#buffers.length; this.#buffer++) {
      const buffer = this.#buffers[this.#buffer]!;
      const index = buffer.firstAtOrAfter(main, sub);
      if (index < buffer.count) {
        this.#index = index - 1;
        return;
      }
    }
  }

  #nextBuffered(): boolean {
    while (this.#buffer < this.#buffers.length) {
      const buffer = this.#buffers[this.#buffer]!;
      if (++this.#index < buffer.count) {
        this.main = buffer.main(this.#index);
        this.sub = buffer.sub(this.#index);
        this.tombstone = buffer.isTombstone(this.#index);
        return true;
      }
      this.#buffer++;
      this.#index = -1;
    }
    return false;
  }
}
