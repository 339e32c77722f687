// What a member that is killed again and again must have kept: every change that was acknowledged, at
// the revision it was acknowledged with, and every change that a watcher has seen; nothing else but
// changes whose answer was lost with the process, each at most once.

export interface ChangeEvent {
  readonly kind: "put" | "delete";
  readonly key: string;
  readonly value: string;
}

/** One request that changes something, unique by the values it writes. */
export interface Operation {
  readonly events: readonly ChangeEvent[];
}

export interface Revision {
  readonly revision: number;
  readonly events: readonly ChangeEvent[];
}

export class KillHistory {
  /** Acknowledged and not yet looked for. */
  readonly #acknowledged = new Map<number, Operation>();
  /** Answer lost: may have happened, once. */
  readonly #unknown = new Set<Operation>();
  /** Seen by a watcher before the process was killed. */
  readonly #observed = new Map<number, string>();
  /** Keys as the checked history leaves them. */
  readonly #state = new Map<string, { value: string; modRevision: number }>();
  /** All revisions up to this one have been checked. */
  checkedRevision = 1;
  acknowledgedCount = 0;
  revisionMax = 1;

  acknowledge(operation: Operation, revision: number): void {
    const before = this.#acknowledged.get(revision);
    if (before !== undefined) throw new Error(`two writes were answered with revision ${revision}`);
    this.#acknowledged.set(revision, operation);
    this.acknowledgedCount++;
    this.revisionMax = Math.max(this.revisionMax, revision);
  }

  lose(operation: Operation): void {
    this.#unknown.add(operation);
  }

  observe({ revision, events }: Revision): void {
    const text = JSON.stringify(events);
    const before = this.#observed.get(revision);
    if (before !== undefined && before !== text) {
      throw new Error(`watchers saw different events at revision ${revision}`);
    }
    this.#observed.set(revision, text);
    this.revisionMax = Math.max(this.revisionMax, revision);
  }

  /** The history after the last checked revision, as a watch gave it after the restart. */
  check(history: readonly Revision[], currentRevision: number): void {
    if (currentRevision < this.revisionMax) {
      throw new Error(`the revision went back from ${this.revisionMax} to ${currentRevision}`);
    }
    let expected = this.checkedRevision + 1;
    for (const each of history) {
      if (each.revision !== expected) {
        throw new Error(
          `the watch has a gap: revision ${expected} expected, ${each.revision} came`,
        );
      }
      this.#checkRevision(each);
      this.#apply(each);
      expected++;
    }
    if (expected !== currentRevision + 1) {
      throw new Error(`the watch ends at ${expected - 1}, the store is at ${currentRevision}`);
    }
    this.#unknown.clear();
    this.checkedRevision = currentRevision;
    this.revisionMax = currentRevision;
  }

  /** The keys that a range over everything must give. */
  state(): { key: string; value: string; modRevision: number }[] {
    return [...this.#state]
      .map(([key, held]) => ({ key, ...held }))
      .sort((a, b) => (a.key < b.key ? -1 : 1));
  }

  #checkRevision({ revision, events }: Revision): void {
    const text = JSON.stringify(events);
    const observed = this.#observed.get(revision);
    this.#observed.delete(revision);
    if (observed !== undefined && observed !== text) {
      throw new Error(`revision ${revision} was ${observed} before the kill and is ${text}`);
    }
    const acknowledged = this.#acknowledged.get(revision);
    if (acknowledged !== undefined) {
      this.#acknowledged.delete(revision);
      const wanted = JSON.stringify(acknowledged.events);
      if (wanted !== text)
        throw new Error(`revision ${revision}: ${wanted} was acknowledged, ${text} is there`);
      return;
    }
    for (const operation of this.#unknown) {
      if (JSON.stringify(operation.events) !== text) continue;
      this.#unknown.delete(operation);
      return;
    }
    throw new Error(`revision ${revision} holds what nobody wrote: ${text}`);
  }

  #apply({ revision, events }: Revision): void {
    for (const { kind, key, value } of events) {
      if (kind === "put") this.#state.set(key, { value, modRevision: revision });
      else this.#state.delete(key);
    }
  }
}
