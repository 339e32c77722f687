/**
 * Compares the data of the members, as etcd does, and raises the alarm CORRUPT where it differs. Three checks, each
 * switched on by its own setting:
 *
 *   initial      once, before this member serves anybody: if another member has other data at the revision this one
 *                has on disk, it does not start
 *   periodic     the leader compares its newest revision with everybody
 *   compactions  the leader compares the hashes that compactions left on every member, which cost nothing more
 *
 * Members that cannot be asked, or that are elsewhere, are passed over: silence is no evidence. What the alarm does is
 * the state machine's business (alarm-gate.ts).
 */
import {
  AlarmRequestAlarmAction as Action,
  AlarmType,
  type EtcdError,
  encodeAlarmRequest,
} from "../api/index.ts";
import { type Alarms, hexId } from "../cluster/index.ts";
import type { Clock, Logger, Timer } from "../io/index.ts";
import type { KeyValueHash, Store } from "../mvcc/index.ts";
import { CommandKind } from "../state-machine/index.ts";
import {
  compactionVerdict,
  type Finding,
  initialVerdict,
  periodicVerdict,
} from "./corruption-verdict.ts";
import { HASH_TIMEOUT_MS, type MemberAnswer, type MemberHashes } from "./member-hashes.ts";
import type { Proposer } from "./proposer.ts";
import type { RaftView } from "./raft-view.ts";

export interface CorruptionChecks {
  /** Before serving (feature InitialCorruptCheck). */
  readonly initial: boolean;
  /** Between two periodic checks; 0 for none. */
  readonly periodMs: number;
  /** Between two looks at what compactions left; 0 for none (feature CompactHashCheck). */
  readonly compactionPeriodMs: number;
}

export interface CorruptionCheckerParts {
  readonly hashes: MemberHashes;
  readonly store: Store;
  readonly raft: RaftView;
  readonly alarms: Alarms;
  readonly proposer: Pick<Proposer, "proposeAsLeader">;
  readonly reads: { wait(waiter: (problem: EtcdError | null) => void): void };
  readonly clock: Clock;
  readonly logger: Logger;
  readonly memberId: bigint;
}

/** How long the initial check waits for the others to be connected. */
const CONNECT_PATIENCE_MS = 2000;

export class CorruptionChecker {
  readonly #parts: CorruptionCheckerParts;
  readonly #checks: CorruptionChecks;
  readonly #timers: (Timer | null)[] = [null, null];
  /** The newest compaction that was found equal on all members. */
  #checkedRevision = 0;
  #stopped = false;

  constructor(parts: CorruptionCheckerParts, checks: CorruptionChecks) {
    this.#parts = parts;
    this.#checks = checks;
  }

  /** The leader's checks, from now on. */
  start(): void {
    const { periodMs, compactionPeriodMs } = this.#checks;
    const { logger, memberId } = this.#parts;
    if (periodMs > 0) {
      const fields = { "local-member-id": hexId(memberId), interval: `${periodMs / 1000}s` };
      logger.info("enabled corruption checking", fields);
      this.#every(0, periodMs, (done) => this.periodicCheck(done));
    }
    if (compactionPeriodMs > 0) {
      this.#every(1, compactionPeriodMs, (done) => this.compactionCheck(done));
    }
  }

  stop(): void {
    this.#stopped = true;
    this.#parts.hashes.stop();
    for (const timer of this.#timers) timer?.cancel();
  }

  /**
   * Before raft takes part, with the data as it is on disk; the transport runs already. `done` gets why this member
   * must not start, or null.
   */
  initialCheck(done: (problem: string | null) => void): void {
    const { hashes, store, logger, memberId } = this.#parts;
    if (!this.#checks.initial) {
      done(null);
      return;
    }
    const id = { "local-member-id": hexId(memberId) };
    const timeout = `${HASH_TIMEOUT_MS / 1000}s`;
    logger.info("starting initial corruption check", { ...id, timeout });
    hashes.compute(store.revision(), (own) => {
      if (typeof own === "string") {
        done(`${hexId(memberId)} failed to fetch hash (${own} revision)`);
        return;
      }
      const question = questionOf(own);
      hashes.askAll(question, CONNECT_PATIENCE_MS, (answers) => {
        const { findings, mismatches } = initialVerdict(memberId, own, answers);
        this.#say(findings);
        if (mismatches > 0) {
          done(`${hexId(memberId)} found data inconsistency with peers`);
          return;
        }
        logger.info("initial corruption checking passed; no corruption", id);
        done(null);
      });
    });
  }

  /** The newest data of all members. Does nothing where this member does not lead. */
  periodicCheck(done: () => void): void {
    const { hashes, store, raft, reads } = this.#parts;
    const term = raft.term();
    if (!raft.isLeader()) {
      done();
      return;
    }
    hashes.compute(store.revision(), (own) => {
      if (typeof own === "string") {
        this.#failed(`${own} revision`, done);
        return;
      }
      hashes.askAll(questionOf(own), 0, (answers) => {
        // Afterwards no follower can have been further than this member is.
        reads.wait((problem) => {
          if (this.#stopped) return;
          if (problem !== null) this.#failed(problem.message, done);
          else this.#again(own, (again) => this.#judge(term, own, again, answers, done));
        });
      });
    });
  }

  /** The newest compaction that all members hashed; older ones where somebody has not. */
  compactionCheck(done: () => void): void {
    const { store, raft, logger, memberId } = this.#parts;
    if (!raft.isLeader()) {
      done();
      return;
    }
    const id = { "local-member-id": hexId(memberId) };
    logger.info("starting compact hash check", { ...id, timeout: `${HASH_TIMEOUT_MS / 1000}s` });
    const unchecked = store
      .compactionHashes()
      .filter((hash) => hash.hashRevision > this.#checkedRevision);
    this.#checkCompactions(raft.term(), [...unchecked].reverse(), 0, done);
  }

  #checkCompactions(
    term: number,
    newestFirst: readonly KeyValueHash[],
    place: number,
    done: () => void,
  ): void {
    const { hashes, memberId, logger } = this.#parts;
    const finish = (checked: number) => {
      const fields = { "number-of-hashes-checked": checked };
      logger.info("finished compaction hash check", fields);
      done();
    };
    const own = newestFirst[place];
    if (own === undefined) {
      finish(place);
      return;
    }
    hashes.askAll(questionOf(own), 0, (answers) => {
      const verdict = compactionVerdict(memberId, own, answers);
      this.#say(verdict.findings);
      if (verdict.isWhole) {
        this.#checkedRevision = Math.max(this.#checkedRevision, own.hashRevision);
      }
      this.#accuse(term, verdict.accused);
      if (verdict.isSettled) finish(place + 1);
      else this.#checkCompactions(term, newestFirst, place + 1, done);
    });
  }

  /** A second hash of the same two revisions, if they are still the newest: equal, or this member lost its mind. */
  #again(own: KeyValueHash, done: (again: KeyValueHash | null) => void): void {
    const { hashes, store } = this.#parts;
    const isSame =
      store.revision() === own.hashRevision && store.compactRevision() === own.compactRevision;
    if (!isSame) {
      done(null);
      return;
    }
    hashes.compute(own.hashRevision, (again) => {
      const isComparable =
        typeof again !== "string" && again.compactRevision === own.compactRevision;
      done(isComparable ? again : null);
    });
  }

  #judge(
    term: number,
    own: KeyValueHash,
    again: KeyValueHash | null,
    answers: readonly MemberAnswer[],
    done: () => void,
  ): void {
    const { memberId, store } = this.#parts;
    const revision = store.revision();
    const compactRevision = store.compactRevision();
    const evidence = { leader: memberId, own, again, revision, compactRevision, answers };
    const verdict = periodicVerdict(evidence);
    this.#say(verdict.findings);
    this.#accuse(term, verdict.accused);
    done();
  }

  /** Raises the alarm, once per member; only in the term in which the evidence was gathered. */
  #accuse(term: number, members: readonly bigint[]): void {
    const { alarms, proposer, raft, logger } = this.#parts;
    if (raft.term() !== term) return;
    const known = alarms.list(AlarmType.CORRUPT);
    for (const memberID of members) {
      if (known.some(({ memberId }) => memberId === memberID)) continue;
      const request = { action: Action.ACTIVATE, memberID, alarm: AlarmType.CORRUPT };
      const proposed = proposer.proposeAsLeader(CommandKind.alarm, encodeAlarmRequest, request);
      const fields = { "member-id": hexId(memberID), alarm: "CORRUPT" };
      if (proposed) logger.error("raising the alarm of damaged data", fields);
      else logger.warn("failed to raise the alarm of damaged data", fields);
    }
  }

  #failed(reason: string, done: () => void): void {
    const { logger, memberId } = this.#parts;
    const fields = { "local-member-id": hexId(memberId), error: reason };
    logger.warn("failed to check hash KV", fields);
    done();
  }

  #say(findings: readonly Finding[]): void {
    for (const { level, message, fields } of findings) this.#parts.logger[level](message, fields);
  }

  /** One after the other, never two of a kind at a time. */
  #every(slot: number, periodMs: number, check: (done: () => void) => void): void {
    this.#timers[slot] = this.#parts.clock.setTimer(periodMs, () => {
      this.#timers[slot] = null;
      check(() => {
        if (!this.#stopped) this.#every(slot, periodMs, check);
      });
    });
  }
}

function questionOf({ hashRevision, compactRevision }: KeyValueHash) {
  return { revision: hashRevision, compactRevision };
}
