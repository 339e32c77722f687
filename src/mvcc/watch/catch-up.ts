/**
 * Feeds watchers from history until they are synced. Owned by WatchHub.
 *
 * Work goes in slices: a run of whole revisions is read once and matched against all watchers that stand
 * inside it, then each of them gets one response and moves on to the slice's end. Every part can stop and go
 * on in a later turn, since a slice holds history, which does not change. Slices start alternately at the
 * lowest and at the highest revision that anyone needs: a newcomer with a long way to go cannot hold up those
 * who are nearly there, nor the other way round.
 */
import { assert } from "../../base/assert.ts";
import type { ChangeEvent, ChangeSource } from "../types.ts";
import { EventMatcher } from "./event-matcher.ts";
import type { Watcher } from "./watcher.ts";
import { WatcherGroup } from "./watcher-group.ts";

/** etcd's batch of one response to a watcher that catches up. */
const SLICE_REVISIONS_MAX = 1000;
const SLICE_BYTES_MAX = 4 << 20;
/** One call of the source: small, since it cannot be interrupted. */
const READ_REVISIONS_MAX = 128;
const READ_BYTES_MAX = 1 << 18;

/** Costs in work units, roughly microseconds. */
const READ_UNITS_PER_EVENT = 2;
const DELIVER_UNITS = 2;

/** What the owner does with watchers that leave. */
export interface CatchUpOwner {
  /** The revision up to which synced watchers know everything. */
  readonly revision: number;
  /** Sends the watcher what it saw in the slice; false when its stream is full. */
  deliver(watcher: Watcher): boolean;
  synced(watcher: Watcher): void;
  park(watcher: Watcher): void;
  compacted(watcher: Watcher, compactRevision: number): void;
}

interface Slice {
  readonly round: number;
  readonly matcher: EventMatcher;
  readonly events: ChangeEvent[];
  readonly members: Watcher[];
  readonly fromRevision: number;
  /** All revisions below are in `events`. */
  nextRevision: number;
  revisions: number;
  bytes: number;
  phase: "read" | "match" | "deliver";
  eventsMatched: number;
  membersServed: number;
}

export class CatchUp {
  readonly #source: ChangeSource;
  readonly #owner: CatchUpOwner;
  readonly #nextRound: () => number;
  readonly #group = new WatcherGroup();
  readonly #watchers = new Set<Watcher>();
  #slice: Slice | null = null;
  #lowestFirst = true;

  constructor(source: ChangeSource, owner: CatchUpOwner, nextRound: () => number) {
    this.#source = source;
    this.#owner = owner;
    this.#nextRound = nextRound;
  }

  get size(): number {
    return this.#watchers.size;
  }

  add(watcher: Watcher): void {
    this.#group.add(watcher);
    this.#watchers.add(watcher);
  }

  remove(watcher: Watcher): void {
    this.#group.remove(watcher);
    this.#watchers.delete(watcher);
  }

  /** The history that the current slice was read from is no longer the store's. */
  dropSlice(): void {
    this.#slice = null;
  }

  /** Works for about so many units; returns whether work remains. */
  pump(units: number): boolean {
    let left = units;
    while (left > 0 && this.#watchers.size > 0) {
      if (this.#slice === null) {
        left -= this.#watchers.size >>> 3;
        if (!this.#begin()) break;
      }
      const slice: Slice = this.#slice!;
      if (slice.phase === "read") left -= this.#read(slice);
      else if (slice.phase === "match") left -= this.#match(slice, left);
      else left -= this.#deliver(slice, left);
    }
    if (this.#watchers.size === 0) this.#slice = null;
    return this.#watchers.size > 0;
  }

  /** Sorts out who cannot go on and starts a slice for the others, if there are any. */
  #begin(): boolean {
    const compactRevision = this.#source.compactRevision();
    let lowest = Infinity;
    let highest = 0;
    for (const watcher of this.#watchers) {
      if (!watcher.stream.sink.writable) {
        this.#owner.park(watcher);
      } else if (watcher.nextRevision < compactRevision) {
        this.#owner.compacted(watcher, compactRevision);
      } else {
        const next = watcher.nextRevision;
        if (next < lowest) lowest = next;
        if (next > highest) highest = next;
      }
    }
    if (lowest === Infinity) return false;
    const fromRevision = this.#lowestFirst ? lowest : highest;
    this.#lowestFirst = !this.#lowestFirst;
    const round = this.#nextRound();
    this.#slice = {
      round,
      matcher: new EventMatcher(this.#source, this.#group, round),
      events: [],
      members: [],
      fromRevision,
      nextRevision: fromRevision,
      revisions: 0,
      bytes: 0,
      phase: "read",
      eventsMatched: 0,
      membersServed: 0,
    };
    return true;
  }

  #read(slice: Slice): number {
    const answer = this.#source.readChanges(
      slice.nextRevision,
      Math.min(READ_REVISIONS_MAX, SLICE_REVISIONS_MAX - slice.revisions),
      READ_BYTES_MAX,
    );
    if (answer === "compacted") {
      // Overtaken between two reads. What was read before is complete and still goes out; who needs what is
      // gone now is told so when the next slice begins.
      this.#enrollMembers(slice);
      return 1;
    }
    assert(answer.nextRevision > slice.nextRevision, "the source must advance");
    const told = this.#owner.revision;
    const eventsBefore = slice.events.length;
    for (const batch of answer.batches) {
      // Committed but not yet told to the synced watchers: it will come to all of them the same way.
      if (batch.revision > told) break;
      slice.revisions++;
      for (const event of batch.events) {
        slice.events.push(event);
        slice.bytes += event.kv.length;
      }
    }
    slice.nextRevision = Math.min(answer.nextRevision, told + 1);
    const complete =
      slice.nextRevision > told ||
      slice.revisions >= SLICE_REVISIONS_MAX ||
      slice.bytes >= SLICE_BYTES_MAX;
    if (complete) this.#enrollMembers(slice);
    return 1 + READ_UNITS_PER_EVENT * (slice.events.length - eventsBefore);
  }

  /** From here on it is fixed who gets this slice: everybody who stands inside it now. */
  #enrollMembers(slice: Slice): void {
    slice.phase = "match";
    for (const watcher of this.#watchers) {
      const next = watcher.nextRevision;
      if (next < slice.fromRevision || next >= slice.nextRevision) continue;
      slice.matcher.enroll(watcher);
      slice.members.push(watcher);
    }
  }

  #match(slice: Slice, units: number): number {
    let used = 0;
    while (used < units && slice.eventsMatched < slice.events.length) {
      used += 1 + slice.matcher.match(slice.events[slice.eventsMatched++]!, null);
    }
    if (slice.eventsMatched === slice.events.length) slice.phase = "deliver";
    return used;
  }

  #deliver(slice: Slice, units: number): number {
    let used = 0;
    while (used < units && slice.membersServed < slice.members.length) {
      const watcher = slice.members[slice.membersServed++]!;
      used += DELIVER_UNITS;
      if (watcher.state !== "catching-up" || watcher.round !== slice.round) continue;
      const seen = watcher.selection!.eventCount;
      if (seen > 0) {
        used += seen >>> 2;
        if (!this.#owner.deliver(watcher)) {
          watcher.selection = null;
          this.#owner.park(watcher);
          continue;
        }
      }
      watcher.selection = null;
      // A sink may have closed the stream while it was told.
      if ((watcher.state as string) !== "catching-up") continue;
      watcher.nextRevision = slice.nextRevision;
      if (slice.nextRevision > this.#owner.revision) this.#owner.synced(watcher);
    }
    if (slice.membersServed === slice.members.length) this.#slice = null;
    return used;
  }
}
