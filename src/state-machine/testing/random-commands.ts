/** Random commands over few keys, leases and revisions, so that they meet: for property tests. */
import fc from "fast-check";
import {
  type CompareInit,
  encodeAlarmRequest,
  encodeCompactionRequest,
  encodeDeleteRangeRequest,
  encodeLeaseCheckpointRequest,
  encodeLeaseGrantRequest,
  encodeLeaseRevokeRequest,
  encodeMembershipClusterMemberAttrSetRequest,
  encodeMembershipClusterVersionSetRequest,
  encodePutRequest,
  encodeTxnRequest,
  type RequestOpInit,
  type TxnRequestInit,
} from "../../api/index.ts";
import { utf8 } from "../../base/bytes.ts";
import { encodeMember } from "../../cluster/index.ts";
import { COMMAND_NAMES, CommandKind } from "../command.ts";
import { encodeMembershipEntry, type MembershipEntry } from "../membership-entry.ts";
import type { LogEntry } from "../state-machine.ts";
import { commandOf, replyText } from "./machine-bench.ts";

const KEYS = ["a", "b", "c", "d", "e"];
const LAST_REVISION = 25;
const MEMBERSHIP_ENTRY = 1;

export const aKey = fc.constantFrom(...KEYS).map(utf8);
/** One key, a range, everything from a key on, or an end that is not behind the key. */
const anEnd = fc.oneof(
  { weight: 3, arbitrary: fc.constant(new Uint8Array(0)) },
  fc.constantFrom("a", "c", "f").map(utf8),
  fc.constant(new Uint8Array([0])),
);
const aValue = fc.constantFrom("", "x", "yy").map(utf8);
const aLease = fc.constantFrom(0n, 0n, 0n, 1n, 2n, 3n);
const aRevision = fc.oneof(fc.constant(0), fc.integer({ min: -1, max: LAST_REVISION }));

export const aPut = fc
  .record({ key: aKey, value: aValue, lease: aLease, prev_kv: fc.boolean(), keep: fc.nat(9) })
  .map(({ key, value, lease, prev_kv, keep }) => {
    if (keep === 0) return { key, lease, prev_kv, ignore_value: true };
    if (keep === 1) return { key, value, prev_kv, ignore_lease: true };
    return { key, value, lease, prev_kv };
  });
const aDelete = fc.record({ key: aKey, range_end: anEnd, prev_kv: fc.boolean() });
const aRange = fc.record({
  key: aKey,
  range_end: anEnd,
  revision: aRevision,
  limit: fc.constantFrom(0, 0, 1, 2),
  count_only: fc.boolean(),
  keys_only: fc.boolean(),
});

const aCompare: fc.Arbitrary<CompareInit> = fc
  .record({
    result: fc.nat(3),
    target: fc.nat(4),
    key: aKey,
    range_end: anEnd,
    number: fc.nat(LAST_REVISION),
    value: aValue,
    lease: aLease,
  })
  .map(({ number, value, lease, ...rest }) => {
    const operand = [
      { version: number % 4 },
      { create_revision: number },
      { mod_revision: number },
      { value },
      { lease },
    ][rest.target];
    return { ...rest, ...operand };
  });

const { txn } = fc.letrec<{ txn: TxnRequestInit; operation: RequestOpInit }>((tie) => ({
  operation: fc.oneof(
    { depthSize: "small", maxDepth: 2 },
    { weight: 4, arbitrary: aPut.map((request_put) => ({ request_put })) },
    { weight: 2, arbitrary: aDelete.map((request_delete_range) => ({ request_delete_range })) },
    { weight: 3, arbitrary: aRange.map((request_range) => ({ request_range })) },
    { weight: 2, arbitrary: tie("txn").map((request_txn) => ({ request_txn })) },
  ) as fc.Arbitrary<RequestOpInit>,
  txn: fc.record({
    compare: fc.array(aCompare, { maxLength: 2 }),
    success: fc.array(tie("operation"), { maxLength: 3 }),
    failure: fc.array(tie("operation"), { maxLength: 3 }),
  }) as fc.Arbitrary<TxnRequestInit>,
}));
export const aTxn: fc.Arbitrary<TxnRequestInit> = txn;

type Maker = (requestId: number) => { kind: number; data: Uint8Array };

function maker<Request>(
  kind: number,
  encode: Parameters<typeof commandOf<Request>>[2],
): (request: Request) => Maker {
  return (request) => {
    const make = (requestId: number) => ({
      kind: 0,
      data: commandOf(kind, requestId, encode, request),
    });
    // A counterexample shows what is asked for, not this function.
    return Object.assign(make, {
      [fc.toStringMethod]: () => `${COMMAND_NAMES[kind]} ${replyText(request as object)}`,
    });
  };
}

const anId = fc.constantFrom(1n, 2n, 3n);

/** Checked transactions only: what the service refuses never comes into the log. */
export function logEntries(isAllowed: (request: TxnRequestInit) => boolean): fc.Arbitrary<Maker> {
  return fc.oneof(
    { weight: 8, arbitrary: aPut.map(maker(CommandKind.put, encodePutRequest)) },
    { weight: 3, arbitrary: aDelete.map(maker(CommandKind.deleteRange, encodeDeleteRangeRequest)) },
    {
      weight: 6,
      arbitrary: aTxn.filter(isAllowed).map(maker(CommandKind.txn, encodeTxnRequest)),
    },
    {
      weight: 2,
      arbitrary: fc
        .record({ revision: fc.integer({ min: -1, max: LAST_REVISION }) })
        .map(maker(CommandKind.compaction, encodeCompactionRequest)),
    },
    {
      weight: 3,
      arbitrary: fc
        .record({ ID: anId, TTL: fc.constantFrom(1, 60, 9_000_000_001) })
        .map(maker(CommandKind.leaseGrant, encodeLeaseGrantRequest)),
    },
    {
      weight: 2,
      arbitrary: fc
        .record({ ID: anId })
        .map(maker(CommandKind.leaseRevoke, encodeLeaseRevokeRequest)),
    },
    {
      arbitrary: fc
        .record({ ID: anId, remaining_TTL: fc.nat(50) })
        .map((checkpoint) => ({ checkpoints: [checkpoint] }))
        .map(maker(CommandKind.leaseCheckpoint, encodeLeaseCheckpointRequest)),
      weight: 1,
    },
    {
      weight: 1,
      arbitrary: fc
        .record({
          action: fc.nat(2),
          memberID: fc.constantFrom(7n, 8n),
          alarm: fc.constantFrom(0, 1, 1, 2),
        })
        .map(maker(CommandKind.alarm, encodeAlarmRequest)),
    },
    {
      weight: 1,
      arbitrary: fc
        .record({ ver: fc.constantFrom("3.6.0", "3.7.0") })
        .map(maker(CommandKind.clusterVersionSet, encodeMembershipClusterVersionSetRequest)),
    },
    { weight: 1, arbitrary: fc.constant(attributes) },
    { weight: 1, arbitrary: fc.constant(firstMember) },
    { weight: 2, arbitrary: membershipEntry.map(membershipMaker) },
    { weight: 1, arbitrary: fc.constant(() => ({ kind: 0, data: new Uint8Array(0) })) },
  );
}

const attributes: Maker = maker(
  CommandKind.memberAttributesSet,
  encodeMembershipClusterMemberAttrSetRequest,
)({ member_ID: 7n, member_attributes: { name: "n", client_urls: ["http://c:1"] } });

/** The form in which single members of earlier versions wrote themselves down. */
const firstMember: Maker = () => ({
  kind: MEMBERSHIP_ENTRY,
  data: utf8(
    encodeMember({ id: 7n, peerUrls: ["http://p:1"], name: "", clientUrls: [], isLearner: false }),
  ),
});

/** Few members and URLs, so that changes meet. */
const URLS = ["http://p:1", "http://p:2", "http://p:3", "http://p:4"];
const CHANGES = ["add-voter", "add-learner", "promote", "remove", "update"] as const;

export const membershipEntry: fc.Arbitrary<Omit<MembershipEntry, "origin" | "requestId">> =
  fc.record({
    change: fc.constantFrom(...CHANGES),
    learnersMax: fc.nat(2),
    member: fc.record({
      id: fc.constantFrom(7n, 8n, 9n, 10n),
      peerUrls: fc.uniqueArray(fc.constantFrom(...URLS), { minLength: 1, maxLength: 2 }),
      name: fc.constantFrom("", "m"),
      clientUrls: fc.constant([]),
      isLearner: fc.constant(false),
    }),
  });

function membershipMaker(entry: Omit<MembershipEntry, "origin" | "requestId">): Maker {
  const data = encodeMembershipEntry({ ...entry, origin: 3, requestId: 1 });
  return () => ({ kind: MEMBERSHIP_ENTRY, data });
}

/** Entries one after the other from index 1; the term grows now and then. */
export function entriesOf(makers: readonly Maker[]): LogEntry[] {
  return makers.map((make, i) => ({ term: 1 + Math.floor(i / 20), index: i + 1, ...make(i + 1) }));
}
