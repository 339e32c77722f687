/** The maintenance service of one member. */
import {
  AlarmRequestAlarmAction as Action,
  type AlarmRequest,
  type AlarmResponseInit,
  AlarmType,
  type DefragmentRequest,
  type DefragmentResponseInit,
  encodeAlarmRequest,
  errBadLeaderTransferee,
  errLeaderTransferTimeout,
  errNotLeader,
  errUnknownMethod,
  type HashKVRequest,
  type HashKVResponseInit,
  type HashRequest,
  type HashResponseInit,
  type MaintenanceService,
  type MemberInstruments,
  type MoveLeaderRequest,
  type MoveLeaderResponseInit,
  type SnapshotRequest,
  type SnapshotResponseInit,
  type StatusRequest,
  type StatusResponseInit,
  type StreamCall,
  type UnaryCall,
} from "../api/index.ts";
import { ETCD_VERSION, STORAGE_VERSION } from "../base/version.ts";
import { type Alarm, type Alarms, hexId, type Membership } from "../cluster/index.ts";
import { BackendHash } from "../database/index.ts";
import { type KeyValueHash, KeyValueHashTask, type Store } from "../mvcc/index.ts";
import { CommandKind, errorOfRevision, type StateMachine } from "../state-machine/index.ts";
import { runCommittingTask } from "./committing-task.ts";
import type { DatabaseCommitter } from "./database-committer.ts";
import type { Proposer } from "./proposer.ts";
import type { QuotaGuard } from "./quota-guard.ts";
import type { RaftView } from "./raft-view.ts";
import type { HeaderFactory } from "./response-header.ts";
import { type SnapshotStreamParts, streamSnapshot } from "./snapshot-stream.ts";

export interface MaintenanceParts extends SnapshotStreamParts {
  readonly raft: RaftView;
  readonly committer: DatabaseCommitter;
  readonly instruments: MemberInstruments;
  readonly store: Store;
  readonly stateMachine: StateMachine;
  readonly alarms: Alarms;
  readonly membership: Membership;
  readonly proposer: Proposer;
  readonly headers: HeaderFactory;
  readonly quota: QuotaGuard;
  readonly memberId: bigint;
  /** Hands leadership over; true once another member is known to lead, false when that took too long. */
  readonly moveLeadership: (target: bigint, done: (moved: boolean) => void) => void;
}

/** About a millisecond of work. */
const HASH_ROWS_PER_STEP = 1000;

const TYPE_NAMES = new Map<number, string>(
  Object.entries(AlarmType).map(([name, value]) => [value, name]),
);

export class MaintenanceServer implements MaintenanceService {
  readonly #parts: MaintenanceParts;
  /** Calls that the defragmentation under way answers. */
  readonly #defragmenting: UnaryCall<DefragmentResponseInit>[] = [];

  constructor(parts: MaintenanceParts) {
    this.#parts = parts;
  }

  alarm(request: AlarmRequest, call: UnaryCall<AlarmResponseInit>): void {
    const known = Object.values(Action) as number[];
    if (!known.includes(request.action)) {
      call.fail(errUnknownMethod); // a real server dies of this one
      return;
    }
    this.#parts.proposer.propose(CommandKind.alarm, encodeAlarmRequest, request, {
      succeed: (response: AlarmResponseInit) => {
        response.header = this.#parts.headers.header(this.#parts.store.revision());
        call.succeed(response);
      },
      fail: (error) => call.fail(error),
    });
  }

  status(_request: StatusRequest, call: UnaryCall<StatusResponseInit>): void {
    const { raft, store, database, stateMachine, alarms, headers, quota } = this.#parts;
    const errors = raft.leader() === 0n ? ["etcdserver: no leader"] : [];
    for (const alarm of alarms.list()) errors.push(alarmText(alarm));
    call.succeed({
      header: headers.header(store.revision()),
      version: ETCD_VERSION,
      dbSize: database.sizeBytes(),
      leader: raft.leader(),
      raftIndex: raft.commit(),
      raftTerm: raft.term(),
      raftAppliedIndex: stateMachine.appliedIndex(),
      errors,
      dbSizeInUse: database.inUseBytes(),
      isLearner: this.#parts.membership.member(this.#parts.memberId)?.isLearner ?? false,
      storageVersion: STORAGE_VERSION,
      dbSizeQuota: Number.isFinite(quota.quotaBytes()) ? quota.quotaBytes() : 0,
      downgradeInfo: { enabled: false },
    });
  }

  /**
   * Shrinks the file in slices while serving; the answer has no header (observed on real members). Whoever asks
   * while one is under way gets the answer of that one.
   */
  defragment(_request: DefragmentRequest, call: UnaryCall<DefragmentResponseInit>): void {
    if (this.#defragmenting.push(call) > 1) return;
    const { database, background, committer, logger, clock, instruments } = this.#parts;
    const startMs = clock.monotonicMs();
    const before = database.sizeBytes();
    logger.info("starting defragment", { "current-db-size-bytes": before });
    instruments.defragsInFlight.add(1);
    const defragmentation = database.beginDefragmentation();
    runCommittingTask(
      background,
      committer,
      () => defragmentation.step(),
      () => {
        const tookMs = clock.monotonicMs() - startMs;
        instruments.defragsInFlight.add(-1);
        instruments.backendDefragSeconds.observe(tookMs / 1000);
        logger.info("finished defragmenting directory", {
          "current-db-size-bytes-diff": database.sizeBytes() - before,
          "current-db-size-bytes": database.sizeBytes(),
          took: `${tookMs.toFixed(3)}ms`,
        });
        for (const waiting of this.#defragmenting.splice(0)) waiting.succeed({});
      },
    );
  }

  hash(_request: HashRequest, call: UnaryCall<HashResponseInit>): void {
    const { database, background, store, headers, clock, instruments } = this.#parts;
    const startMs = clock.monotonicMs();
    database.commit(() => {
      if (call.aborted) return;
      const snapshot = database.openSnapshot();
      const hashing = new BackendHash(snapshot);
      let isOpen = true;
      call.onAbort(() => {
        if (isOpen) snapshot.close();
        isOpen = false;
      });
      background.add(() => {
        if (!isOpen) return false;
        if (!hashing.step(HASH_ROWS_PER_STEP)) return true;
        isOpen = false;
        instruments.hashSeconds.observe((clock.monotonicMs() - startMs) / 1000);
        call.succeed({ header: headers.header(store.revision()), hash: hashing.hash() });
        return false;
      });
    });
  }

  hashKV(request: HashKVRequest, call: UnaryCall<HashKVResponseInit>): void {
    const { store, database, background, clock, instruments } = this.#parts;
    const startMs = clock.monotonicMs();
    const hashing = store.beginHash(request.revision);
    if (typeof hashing === "string") {
      call.fail(errorOfRevision(hashing));
      return;
    }
    if (!(hashing instanceof KeyValueHashTask)) {
      this.#answerHash(hashing, call);
      return;
    }
    call.onAbort(() => hashing.close());
    const step = (): boolean => {
      if (call.aborted) return false;
      const done = hashing.step(HASH_ROWS_PER_STEP);
      if (done === false) return true;
      if (done === "compacted") call.fail(errorOfRevision(done));
      else this.#answerHash(hashing.result(), call);
      instruments.hashRevisionSeconds.observe((clock.monotonicMs() - startMs) / 1000);
      return false;
    };
    // Only what is in the tree is hashed; what is not there yet is committed first.
    database.commit(() => background.add(step));
  }

  #answerHash(result: KeyValueHash, call: UnaryCall<HashKVResponseInit>): void {
    const { store, headers } = this.#parts;
    call.succeed({
      header: headers.header(store.revision()),
      hash: result.hash,
      compact_revision: result.compactRevision,
      hash_revision: result.hashRevision,
    });
  }

  snapshot(_request: SnapshotRequest, call: StreamCall<SnapshotResponseInit>): void {
    streamSnapshot(this.#parts, call);
  }

  /** Answers when the new leader is known; the answer has no header (observed on real members). */
  moveLeader({ targetID }: MoveLeaderRequest, call: UnaryCall<MoveLeaderResponseInit>): void {
    const { raft, memberId, membership, moveLeadership, logger } = this.#parts;
    const target = membership.member(targetID);
    if (raft.leader() !== memberId) call.fail(errNotLeader);
    else if (target === undefined || target.isLearner) call.fail(errBadLeaderTransferee);
    else if (targetID === memberId) call.succeed({});
    else {
      const fields = { "local-member-id": memberId, "transferee-member-id": hexId(targetID) };
      logger.info("leadership transfer starting", fields);
      moveLeadership(targetID, (moved) => {
        if (moved && raft.leader() === targetID) {
          logger.info("leadership transfer finished", fields);
          call.succeed({});
        } else call.fail(errLeaderTransferTimeout);
      });
    }
  }
}

/** The text form that Status lists alarms in. */
function alarmText(alarm: Alarm): string {
  return `memberID:${alarm.memberId} alarm:${TYPE_NAMES.get(alarm.type) ?? alarm.type} `;
}
