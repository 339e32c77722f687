/**
 * What a leader knows about one member's log, and how fast it may send to it. The leader reports
 * what happened (sent, accepted, rejected, ...); the transitions between the states are made here
 * and nowhere else.
 *
 *   probe      where the logs agree is unknown: one append per answer or heartbeat, `next` is a
 *              guess
 *   replicate  logs agree up to `match`: appends go ahead of the answers, within the window
 *   snapshot   it needs what was compacted away: nothing is sent until the snapshot's fate is known
 *
 * Invariants: match < next; in snapshot, next = pendingSnapshotIndex + 1; inflights are empty
 * unless replicating.
 */
import { assert } from "../base/assert.ts";
import type { Inflights } from "./inflights.ts";

export type ProgressState = "probe" | "replicate" | "snapshot";

export class Progress {
  /** The follower's durable log equals the leader's up to here. */
  match = 0;
  /** Index of the next entry to send. */
  next: number;
  state: ProgressState = "probe";
  /** Index of the snapshot being sent; 0 outside the snapshot state. */
  pendingSnapshotIndex = 0;
  /** Whether anything came from the member since the leader last checked its quorum. */
  recentlyActive: boolean;
  /** The newest read round the member confirmed in this term; 0 none. */
  confirmedRound = 0;
  /** The leader's tick at which it sent the newest heartbeat that was answered; 0 none. */
  confirmedTick = 0;
  readonly inflights: Inflights;
  /** The member itself waits for the commit of this entry: it proposed it, or reads at it. */
  awaitedCommit = 0;
  /** The highest commit index the follower was told, as far as its log reaches. */
  #sentCommit = 0;
  /** Waiting for an answer or a heartbeat before the next append. */
  #paused = false;

  constructor(next: number, inflights: Inflights, recentlyActive: boolean) {
    assert(next > 0, `the first entry has index 1, not ${next}`);
    this.next = next;
    this.inflights = inflights;
    this.recentlyActive = recentlyActive;
  }

  isPaused(): boolean {
    return this.state === "snapshot" || this.#paused;
  }

  /**
   * A full window lets only an empty append through, once per heartbeat, to learn what was lost.
   */
  mayCarryEntries(): boolean {
    return this.state !== "replicate" || !this.inflights.isFull();
  }

  /**
   * An append without entries would tell the follower a commit index that is new and of use to it.
   */
  wantsCommit(commit: number): boolean {
    return commit > this.#sentCommit && this.#sentCommit < this.next - 1;
  }

  /** It is waiting for a commit that it was not told yet. */
  awaitsCommit(commit: number): boolean {
    return this.#sentCommit < Math.min(this.awaitedCommit, commit);
  }

  appendSent(count: number, bytes: number, commit: number): void {
    if (this.state === "replicate") {
      if (count > 0) {
        this.next += count;
        this.inflights.add(this.next - 1, bytes);
      }
      this.#paused = this.inflights.isFull();
    } else {
      assert(this.state === "probe", `an append was sent while in state ${this.state}`);
      if (count > 0) this.#paused = true;
    }
    this.#sentCommit = commit;
  }

  snapshotSent(index: number): void {
    this.#reset("snapshot");
    this.pendingSnapshotIndex = index;
    this.next = index + 1;
    this.#sentCommit = index;
  }

  /**
   * The follower has everything up to `index`. Returns false for an answer that says nothing new.
   * An accepted append ends probing even if it repeats `match` (etcd's
   * heartbeat_resp_recovers_from_probing), and a snapshot state ends as soon as the log that is
   * still held continues where the follower is.
   */
  accepted(index: number, logFirstIndex: number): boolean {
    const isNews = index > this.match;
    if (isNews) {
      this.match = index;
      this.next = Math.max(this.next, index + 1);
      this.#paused = false;
    }
    if (!isNews && !(index === this.match && this.state === "probe")) return false;
    if (this.state === "probe") this.#becomeReplicate();
    else if (this.state === "replicate") this.inflights.freeThrough(index);
    else if (this.match + 1 >= logFirstIndex) this.#becomeReplicate();
    return true;
  }

  /**
   * The append after `rejectedIndex` did not fit; `hintIndex` is where the logs may agree. Returns
   * false for a stale answer: one that cannot be about the last thing sent.
   */
  rejected(rejectedIndex: number, hintIndex: number): boolean {
    if (this.state === "replicate") {
      if (rejectedIndex <= this.match) return false;
      this.#becomeProbe();
      return true;
    }
    if (this.state === "snapshot" || this.next - 1 !== rejectedIndex) return false;
    this.next = Math.max(Math.min(rejectedIndex, hintIndex + 1), this.match + 1);
    this.#sentCommit = Math.min(this.#sentCommit, this.next - 1);
    this.#paused = false;
    return true;
  }

  heartbeatAnswered(): void {
    this.#paused = false;
  }

  /** What was sent ahead is probably lost: find out one append at a time. */
  unreachable(): void {
    if (this.state === "replicate") this.#becomeProbe();
  }

  /**
   * Sending the snapshot ended. After a success the follower's own answer is awaited, after a
   * failure a heartbeat: either way nothing is sent at once.
   */
  snapshotReported(succeeded: boolean): void {
    if (this.state !== "snapshot") return;
    if (!succeeded) this.pendingSnapshotIndex = 0;
    this.#becomeProbe();
    this.#paused = true;
  }

  /** The leader's own row: its appends need no messages, only its disk. */
  ownPersisted(persistedIndex: number): void {
    assert(persistedIndex >= this.match, `the disk forgot ${persistedIndex}..${this.match}`);
    this.state = "replicate";
    this.match = persistedIndex;
    this.next = Math.max(this.next, persistedIndex + 1);
  }

  #becomeProbe(): void {
    const afterSnapshot = this.pendingSnapshotIndex + 1;
    this.#reset("probe");
    this.next = Math.max(this.match + 1, afterSnapshot);
    this.#sentCommit = Math.min(this.#sentCommit, this.next - 1);
  }

  #becomeReplicate(): void {
    this.#reset("replicate");
    this.next = this.match + 1;
  }

  #reset(state: ProgressState): void {
    this.state = state;
    this.pendingSnapshotIndex = 0;
    this.#paused = false;
    this.inflights.clear();
  }
}
