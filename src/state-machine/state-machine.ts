/**
 * The replicated state machine: one committed log entry in, its effects in the database batch, its reply out.
 * Everything is a function of the log: no clock (the time that leases start at is handed in and only the leader
 * uses it), no difference between the member that proposed and the others.
 *
 * Every entry moves the applied index, also one that changes nothing or fails (incidents 1 and 5), in the same
 * batch as its effects. An entry at or below the applied index was applied before a crash and is skipped.
 */
import {
  type CompactionResponseInit,
  type DeleteRangeResponseInit,
  decodeAlarmRequest,
  decodeCompactionRequest,
  decodeDeleteRangeRequest,
  decodeLeaseCheckpointRequest,
  decodeLeaseGrantRequest,
  decodeLeaseRevokeRequest,
  decodeMembershipClusterMemberAttrSetRequest,
  decodeMembershipClusterVersionSetRequest,
  decodePutRequest,
  decodeTxnRequest,
  EtcdError,
  errLeaseExist,
  errLeaseNotFound,
  errLeaseTTLTooLarge,
  type LeaseGrantResponseInit,
  type LeaseRevokeResponseInit,
  type PutResponseInit,
  type TxnResponseInit,
} from "../api/index.ts";
import { assert } from "../base/assert.ts";
import type { Alarms, Membership } from "../cluster/index.ts";
import type { Database } from "../database/index.ts";
import type { Lessor } from "../lease/index.ts";
import type { Store } from "../mvcc/index.ts";
import { applyAlarm } from "./alarm-command.ts";
import { alarmGate } from "./alarm-gate.ts";
import { type Command, CommandKind } from "./command.ts";
import { decodeCommand } from "./command-codec.ts";
import { ApplyCounters } from "./counters.ts";
import { KvWriter } from "./kv-writer.ts";
import {
  applyMembership,
  type MembershipListener,
  type MembershipReply,
} from "./membership-change.ts";
import { decodeMembershipEntry } from "./membership-entry.ts";
import { errorOfRevision } from "./range.ts";
import { checkPath, choosePath, runPath, type TxnView } from "./txn.ts";

export interface StateMachineParts {
  readonly database: Database;
  readonly store: Store;
  readonly lessor: Lessor;
  readonly membership: Membership;
  readonly alarms: Alarms;
}

/** An answer without ids and term in its header; an error; or nothing for commands that answer nothing. */
export type Reply = object | EtcdError;

/** What an entry of the log is to the state machine. */
export interface LogEntry {
  readonly term: number;
  readonly index: number;
  /** 0 command, 1 membership change. */
  readonly kind: number;
  readonly data: Uint8Array;
}

/** Gets every reply; only the member whose number `origin` is has a waiter for it. */
export type ReplySink = (requestId: number, kind: number, reply: Reply, origin: number) => void;

const MEMBERSHIP_ENTRY = 1;

export class StateMachine {
  readonly counters = new ApplyCounters();
  readonly #parts: StateMachineParts;
  readonly #view: TxnView;
  #appliedIndex: number;
  #appliedTerm: number;

  constructor(parts: StateMachineParts) {
    this.#parts = parts;
    this.#appliedIndex = parts.database.consistentIndex();
    this.#appliedTerm = parts.database.consistentTerm();
    const { store, lessor } = parts;
    this.#view = {
      range: (key, rangeEnd, options) => store.range(key, rangeEnd, options),
      revision: () => store.revision(),
      compactRevision: () => store.compactRevision(),
      leaseExists: (id) => lessor.has(id),
    };
  }

  /** The database holds another, later state: that of a snapshot. */
  reload(): void {
    const { database } = this.#parts;
    assert(database.consistentIndex() >= this.#appliedIndex, "a received state is not older");
    this.#appliedIndex = database.consistentIndex();
    this.#appliedTerm = database.consistentTerm();
  }

  appliedIndex(): number {
    return this.#appliedIndex;
  }

  appliedTerm(): number {
    return this.#appliedTerm;
  }

  /** The committed state, for reads outside the log. */
  view(): TxnView {
    return this.#view;
  }

  /**
   * Applies the next committed entry. `nowMs` is the monotonic time from which leases granted here run on a
   * leader. The sink gets the reply of a command that somebody may wait for; a membership change's reply comes with
   * kind 0, after `onMembership`.
   */
  apply(entry: LogEntry, nowMs: number, sink: ReplySink, onMembership: MembershipListener): void {
    if (entry.index <= this.#appliedIndex) return;
    // The texts of asserts are made only when they are needed: this runs for every entry.
    if (entry.index !== this.#appliedIndex + 1) {
      assert(false, `entry ${entry.index} does not follow the applied ${this.#appliedIndex}`);
    }
    if (entry.kind === MEMBERSHIP_ENTRY) {
      this.#applyMembership(entry, sink, onMembership);
    } else if (entry.data.length === 0) {
      this.#applied(entry);
    } else {
      const command = decodeCommand(entry.data);
      if (command === null) assert(false, `log entry ${entry.index} holds no command`);
      const reply = this.#applyCommand(command, nowMs);
      // Before the reply: whoever gets it may commit the database at once.
      this.#applied(entry);
      if (command.requestId !== 0) sink(command.requestId, command.kind, reply, command.origin);
    }
  }

  #applied({ index, term }: LogEntry): void {
    this.#appliedIndex = index;
    this.#appliedTerm = term;
    this.#parts.database.setConsistentIndex(index, term);
  }

  #applyCommand(command: Command, nowMs: number): Reply {
    const refused = alarmGate(this.#parts.alarms, command);
    if (refused !== null) return refused;
    switch (command.kind) {
      case CommandKind.put:
        return this.#put(command.request);
      case CommandKind.deleteRange:
        return this.#deleteRange(command.request);
      case CommandKind.txn:
        return this.#txn(command.request);
      case CommandKind.compaction:
        return this.#compact(command.request);
      case CommandKind.leaseGrant:
        return this.#leaseGrant(command.request, nowMs);
      case CommandKind.leaseRevoke:
        return this.#leaseRevoke(command.request);
      case CommandKind.leaseCheckpoint:
        return this.#leaseCheckpoint(command.request);
      case CommandKind.alarm:
        return applyAlarm(this.#parts.alarms, decodeAlarmRequest(command.request));
      case CommandKind.clusterVersionSet: {
        const request = decodeMembershipClusterVersionSetRequest(command.request);
        this.#parts.membership.setClusterVersion(request.ver);
        return {};
      }
      case CommandKind.memberAttributesSet: {
        const request = decodeMembershipClusterMemberAttrSetRequest(command.request);
        const attributes = request.member_attributes;
        this.#parts.membership.setAttributes(
          request.member_ID,
          attributes?.name ?? "",
          attributes?.client_urls ?? [],
        );
        return {};
      }
      default:
        // A newer version's log cannot be applied by guessing: that would fork the state.
        throw new Error(`the log holds a command of unknown kind ${command.kind}`);
    }
  }

  #put(bytes: Uint8Array): PutResponseInit | EtcdError {
    const { store, lessor } = this.#parts;
    const request = decodePutRequest(bytes);
    if (request.lease !== 0n && !lessor.has(request.lease)) return errLeaseNotFound;
    const writer = new KvWriter(store, lessor, this.counters);
    const response = writer.put(request);
    const revision = writer.end();
    if (response instanceof EtcdError) return response;
    response.header = { revision };
    return response;
  }

  #deleteRange(bytes: Uint8Array): DeleteRangeResponseInit {
    const writer = new KvWriter(this.#parts.store, this.#parts.lessor, this.counters);
    const response = writer.deleteRange(decodeDeleteRangeRequest(bytes));
    response.header = { revision: writer.end() };
    return response;
  }

  #txn(bytes: Uint8Array): TxnResponseInit | EtcdError {
    const request = decodeTxnRequest(bytes);
    const path = choosePath(this.#view, request);
    const problem = checkPath(this.#view, request, path);
    if (problem !== null) return problem;
    const writer = new KvWriter(this.#parts.store, this.#parts.lessor, this.counters);
    const response = runPath(writer, request, path);
    this.counters.txns++;
    response.header = { revision: writer.end() };
    return response;
  }

  #compact(bytes: Uint8Array): CompactionResponseInit | EtcdError {
    const { store } = this.#parts;
    const problem = store.scheduleCompaction(decodeCompactionRequest(bytes).revision);
    if (problem !== undefined) return errorOfRevision(problem);
    return { header: { revision: store.revision() } };
  }

  #leaseGrant(bytes: Uint8Array, nowMs: number): LeaseGrantResponseInit | EtcdError {
    const { store, lessor } = this.#parts;
    const request = decodeLeaseGrantRequest(bytes);
    const lease = lessor.grant(request.ID, request.TTL, nowMs);
    if (lease === "exists") return errLeaseExist;
    if (lease === "ttl-too-large") return errLeaseTTLTooLarge;
    this.counters.leasesGranted++;
    return { header: { revision: store.revision() }, ID: lease.id, TTL: lease.ttlSeconds };
  }

  #leaseRevoke(bytes: Uint8Array): LeaseRevokeResponseInit | EtcdError {
    const { store, lessor } = this.#parts;
    const { ID } = decodeLeaseRevokeRequest(bytes);
    if (!lessor.has(ID)) return errLeaseNotFound;
    const writer = new KvWriter(store, lessor, this.counters);
    for (const key of lessor.sortedKeys(ID)) writer.deleteKey(key);
    const revision = writer.end();
    lessor.revoke(ID);
    this.counters.leasesRevoked++;
    return { header: { revision } };
  }

  #leaseCheckpoint(bytes: Uint8Array): Reply {
    for (const { ID, remaining_TTL } of decodeLeaseCheckpointRequest(bytes).checkpoints) {
      this.#parts.lessor.checkpoint(ID, remaining_TTL);
    }
    return { header: { revision: this.#parts.store.revision() } };
  }

  #applyMembership(entry: LogEntry, sink: ReplySink, onMembership: MembershipListener): void {
    const { membership } = this.#parts;
    const request = decodeMembershipEntry(entry.data);
    if (request === null) assert(false, `log entry ${entry.index} holds no membership change`);
    const outcome = applyMembership(membership, request);
    this.#applied(entry);
    onMembership(entry.index, outcome instanceof EtcdError ? null : outcome);
    if (request.requestId === 0) return;
    const reply: MembershipReply | EtcdError =
      outcome instanceof EtcdError ? outcome : { members: membership.members() };
    sink(request.requestId, 0, reply, request.origin);
  }
}
