/**
 * One change as watchers get it. The key is cut out of the record only when someone asks for it.
 */
import { recordKey } from "./record.ts";
import type { ChangeEvent } from "./types.ts";

export const CHANGE_PUT = 0;
export const CHANGE_DELETE = 1;

export class StoredChange implements ChangeEvent {
  readonly type: number;
  readonly revision: number;
  readonly sub: number;
  readonly kv: Uint8Array;
  readonly created: boolean;
  #key: Uint8Array | undefined;

  constructor(type: number, revision: number, sub: number, kv: Uint8Array, created: boolean) {
    this.type = type;
    this.revision = revision;
    this.sub = sub;
    this.kv = kv;
    this.created = created;
  }

  get key(): Uint8Array {
    this.#key ??= recordKey(this.kv);
    return this.#key;
  }
}
