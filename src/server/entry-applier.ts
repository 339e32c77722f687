/** Puts committed entries into the state machine, and measures how long each answered command took. */
import { EtcdError } from "../api/index.ts";
import type { Clock } from "../io/index.ts";
import type { Entry, MembershipChange } from "../raft/index.ts";
import type { ReplySink, StateMachine } from "../state-machine/index.ts";

export interface EntryApplierParts {
  readonly stateMachine: StateMachine;
  readonly clock: Clock;
  /** Gets every reply. */
  readonly reply: ReplySink;
  /** Told how long each answered command took to apply. */
  readonly observe: (kind: number, succeeded: boolean, seconds: number) => void;
  readonly onMembership: (index: number, change: MembershipChange | null) => void;
}

export class EntryApplier {
  readonly #parts: EntryApplierParts;
  #sliceMs = Number.NaN;
  /** When the command before this one was done. */
  #doneMs = 0;

  constructor(parts: EntryApplierParts) {
    this.#parts = parts;
  }

  /** `nowMs`: when the slice of entries began. */
  readonly apply = (entry: Entry, nowMs: number): void => {
    if (nowMs !== this.#sliceMs) {
      this.#sliceMs = nowMs;
      this.#doneMs = nowMs;
    }
    const { stateMachine, onMembership } = this.#parts;
    stateMachine.apply(entry, nowMs, this.#reply, onMembership);
  };

  readonly #reply: ReplySink = (requestId, kind, reply, origin) => {
    const { clock, observe } = this.#parts;
    const nowMs = clock.monotonicMs();
    observe(kind, !(reply instanceof EtcdError), (nowMs - this.#doneMs) / 1000);
    this.#doneMs = nowMs;
    this.#parts.reply(requestId, kind, reply, origin);
  };
}
