/**
 * The last creations and deletions of keys, newest last, in a ring. With it the number of keys at a
 * recent revision follows from the present number: kube-apiserver counts at the same slightly old
 * revision on every page of a list, and walking all keys for each page would be quadratic.
 */
const CAPACITY = 1 << 15;

export class ToggleLog {
  readonly #revisions = new Float64Array(CAPACITY);
  readonly #ids = new Uint32Array(CAPACITY);
  readonly #created = new Uint8Array(CAPACITY);
  /** Toggles ever logged; the ring holds the last CAPACITY of them. */
  #total = 0;
  #startRevision: number;

  /** Nothing is known of toggles at or below `startRevision`. */
  constructor(startRevision: number) {
    this.#startRevision = startRevision;
  }

  add(revision: number, id: number, created: boolean): void {
    const slot = this.#total & (CAPACITY - 1);
    if (this.#total >= CAPACITY) this.#startRevision = this.#revisions[slot]!;
    this.#revisions[slot] = revision;
    this.#ids[slot] = id;
    this.#created[slot] = created ? 1 : 0;
    this.#total++;
  }

  /** How many toggles came after `revision`, or Infinity if the ring no longer says. */
  countAfter(revision: number): number {
    if (revision < this.#startRevision) return Number.POSITIVE_INFINITY;
    const held = Math.min(this.#total, CAPACITY);
    let low = 0;
    let high = held;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (this.#revisions[(this.#total - held + middle) & (CAPACITY - 1)]! <= revision) {
        low = middle + 1;
      } else {
        high = middle;
      }
    }
    return held - low;
  }

  /** Creations minus deletions among the last `count` toggles whose id satisfies `wanted`. */
  netOfLast(count: number, wanted: (id: number) => boolean): number {
    let net = 0;
    for (let i = this.#total - count; i < this.#total; i++) {
      const slot = i & (CAPACITY - 1);
      if (wanted(this.#ids[slot]!)) net += this.#created[slot] === 1 ? 1 : -1;
    }
    return net;
  }
}
