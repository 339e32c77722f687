// The state of the network between members: per ordered pair, whether bytes pass and how fast. Proxies read it and
// are told when it changes; faults write it.

/** drop: bytes and closings wait, as packets would. reset: connections break and new ones are refused. */
export type Cut = "none" | "drop" | "reset";

export interface Link {
  readonly cut: Cut;
  readonly delayMs: number;
  /** 0: no limit. */
  readonly bytesPerSecond: number;
}

const clear: Link = { cut: "none", delayMs: 0, bytesPerSecond: 0 };

export class Links {
  readonly #links = new Map<string, Link>();
  readonly #listeners = new Set<() => void>();

  of(from: string, to: string): Link {
    return this.#links.get(`${from}>${to}`) ?? clear;
  }

  /** A cut one way only drops: a connection cannot break for one of its ends. */
  set(from: string, to: string, change: Partial<Link>): void {
    this.#links.set(`${from}>${to}`, { ...this.of(from, to), ...change });
    this.#tell();
  }

  setBoth(a: string, b: string, change: Partial<Link>): void {
    this.set(a, b, change);
    this.set(b, a, change);
  }

  heal(): void {
    this.#links.clear();
    this.#tell();
  }

  onChange(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  #tell(): void {
    for (const listener of [...this.#listeners]) listener();
  }
}
