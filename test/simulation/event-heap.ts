/** What is still to happen, the earliest first; events at one time in the order they were made. */
import type { SimProcess } from "./sim-process.ts";

export interface SimEvent {
  readonly atMs: number;
  readonly order: number;
  readonly fire: () => void;
  /** null: an event of the world, not of a process. */
  readonly process: SimProcess | null;
  /** The life of the process that it belongs to: a later life never sees it. */
  readonly life: number;
  readonly kind: EventKind;
  isCancelled: boolean;
}

/** What a stopped process finds when it goes on: the order among kinds is up to its event loop. */
export type EventKind = "timer" | "input" | "disk";

export class EventHeap {
  readonly #events: SimEvent[] = [];

  get size(): number {
    return this.#events.length;
  }

  push(event: SimEvent): void {
    const events = this.#events;
    let at = events.length;
    events.push(event);
    while (at > 0) {
      const parent = (at - 1) >> 1;
      if (!isBefore(event, events[parent]!)) break;
      events[at] = events[parent]!;
      at = parent;
    }
    events[at] = event;
  }

  peek(): SimEvent | undefined {
    return this.#events[0];
  }

  pop(): SimEvent | undefined {
    const events = this.#events;
    const first = events[0];
    const last = events.pop();
    if (first === undefined || last === undefined || events.length === 0) return first;
    let at = 0;
    for (;;) {
      let child = 2 * at + 1;
      if (child >= events.length) break;
      if (child + 1 < events.length && isBefore(events[child + 1]!, events[child]!)) child++;
      if (!isBefore(events[child]!, last)) break;
      events[at] = events[child]!;
      at = child;
    }
    events[at] = last;
    return first;
  }
}

function isBefore(a: SimEvent, b: SimEvent): boolean {
  return a.atMs < b.atMs || (a.atMs === b.atMs && a.order < b.order);
}
