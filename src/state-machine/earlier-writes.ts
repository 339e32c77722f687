/**
 * Whether the operations of a transaction so far leave a key deleted. Only a delete without an upper end can, before
 * a put that the checks let pass: the overlap rule does not see it (a real member dies of the put that then lacks
 * its key). Each question costs a binary search, because one request may carry tens of thousands of operations.
 */
import type { RequestOp } from "../api/index.ts";
import { isOpenEnd, latin1Text } from "../base/bytes.ts";

export class EarlierWrites {
  #count = 0;
  /** When each key was put last. */
  readonly #puts = new Map<string, number>();
  /** Where open deletes begin and when they ran, both ascending: a newer one makes those behind its begin moot. */
  readonly #begins: string[] = [];
  readonly #times: number[] = [];

  note({ request_put: put, request_delete_range: deletion }: RequestOp): void {
    const time = ++this.#count;
    // Puts before the first such delete change nothing about the answer.
    if (put !== undefined && this.#begins.length > 0) this.#puts.set(latin1Text(put.key), time);
    if (deletion === undefined || !isOpenEnd(deletion.range_end)) return;
    const begin = latin1Text(deletion.key);
    while (this.#begins.length > 0 && this.#begins.at(-1)! >= begin) {
      this.#begins.pop();
      this.#times.pop();
    }
    this.#begins.push(begin);
    this.#times.push(time);
  }

  deleted(key: Uint8Array): boolean {
    if (this.#begins.length === 0) return false;
    const text = latin1Text(key);
    let low = 0;
    let high = this.#begins.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (this.#begins[middle]! <= text) low = middle + 1;
      else high = middle;
    }
    return low > 0 && this.#times[low - 1]! > (this.#puts.get(text) ?? 0);
  }
}
