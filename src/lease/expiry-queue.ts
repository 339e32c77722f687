/**
 * A binary heap of (time, lease id), earliest first. Renewals do not move entries: they push a later one, and
 * what was outdated is dropped when it comes up. The heap is rebuilt when more than half of it is outdated, so
 * it stays within twice the number of leases.
 */
export class ExpiryQueue {
  readonly #times: number[] = [];
  readonly #ids: bigint[] = [];

  get size(): number {
    return this.#times.length;
  }

  push(timeMs: number, id: bigint): void {
    const times = this.#times;
    const ids = this.#ids;
    let at = times.length;
    times.push(timeMs);
    ids.push(id);
    while (at > 0) {
      const parent = (at - 1) >> 1;
      if (times[parent]! <= timeMs) break;
      times[at] = times[parent]!;
      ids[at] = ids[parent]!;
      at = parent;
    }
    times[at] = timeMs;
    ids[at] = id;
  }

  /** Time of the earliest entry; Infinity when empty. */
  nextTimeMs(): number {
    return this.#times.length === 0 ? Infinity : this.#times[0]!;
  }

  /** Takes the earliest entry off. The queue must not be empty. */
  pop(): bigint {
    const times = this.#times;
    const ids = this.#ids;
    const first = ids[0]!;
    const time = times.pop()!;
    const id = ids.pop()!;
    const length = times.length;
    if (length > 0) {
      let at = 0;
      for (;;) {
        let child = at * 2 + 1;
        if (child >= length) break;
        if (child + 1 < length && times[child + 1]! < times[child]!) child++;
        if (times[child]! >= time) break;
        times[at] = times[child]!;
        ids[at] = ids[child]!;
        at = child;
      }
      times[at] = time;
      ids[at] = id;
    }
    return first;
  }

  clear(): void {
    this.#times.length = 0;
    this.#ids.length = 0;
  }
}
