/**
 * Finds out which watchers of a group see which events of a batch. Every batch is a round with a number of
 * its own, and a watcher carries the number of the round that its selection belongs to: no map is needed.
 */
import type { ChangeEvent, ChangeSource } from "../types.ts";
import { EventSelection, SharedEvent } from "./event-selection.ts";
import { keyText } from "./key-text.ts";
import type { Watcher } from "./watcher.ts";
import type { WatcherBucket, WatcherGroup } from "./watcher-group.ts";

const PUT = 0;

export class EventMatcher {
  readonly #group: WatcherGroup;
  readonly #round: number;
  readonly #plain: EventSelection;
  readonly #withPrevious: EventSelection;
  readonly #found: WatcherBucket[] = [];

  constructor(source: ChangeSource, group: WatcherGroup, round: number) {
    this.#plain = EventSelection.empty(source, false);
    this.#withPrevious = EventSelection.empty(source, true);
    this.#group = group;
    this.#round = round;
  }

  /** Makes the watcher part of the round, with nothing seen yet. */
  enroll(watcher: Watcher): void {
    watcher.round = this.#round;
    watcher.selection = watcher.withPrevious ? this.#withPrevious : this.#plain;
  }

  /**
   * Notes who sees the event and returns how many do. Watchers outside the round are enrolled and appended to
   * `newcomers`, or passed over when that is null.
   */
  match(event: ChangeEvent, newcomers: Watcher[] | null): number {
    const found = this.#found;
    found.length = 0;
    this.#group.find(keyText(event.key), found);
    if (found.length === 0) return 0;
    const shared = new SharedEvent(event);
    let matches = 0;
    for (const bucket of found) {
      for (const watcher of bucket.watchers) {
        if (event.revision < watcher.nextRevision) continue;
        if (event.type === PUT ? watcher.dropPuts : watcher.dropDeletes) continue;
        if (watcher.round !== this.#round) {
          if (newcomers === null) continue;
          this.enroll(watcher);
          newcomers.push(watcher);
        }
        watcher.selection = watcher.selection!.plus(shared);
        matches++;
      }
    }
    return matches;
  }
}
