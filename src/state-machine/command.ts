/**
 * The closed union of what is replicated. A command is a kind, who asked (for the permission check when it is
 * applied) and the protobuf bytes of its request.
 */
export const CommandKind = {
  put: 1,
  deleteRange: 2,
  txn: 3,
  compaction: 4,
  leaseGrant: 5,
  leaseRevoke: 6,
  leaseCheckpoint: 7,
  alarm: 8,
  clusterVersionSet: 9,
  memberAttributesSet: 10,
} as const;

export interface Command {
  readonly kind: number;
  /** The member that proposed it: the low 48 bits of its id. */
  readonly origin: number;
  /** Names the waiter on that member; unique per member and run. 0: nobody waits. */
  readonly requestId: number;
  /** Authenticated user, or "". */
  readonly userName: string;
  /** The auth store's revision that the user's token was checked against. */
  readonly authRevision: number;
  /** The encoded request. */
  readonly request: Uint8Array;
}

/** Name of the request for metrics and logs, as etcd spells it. */
export const COMMAND_NAMES: readonly string[] = [
  "",
  "Put",
  "DeleteRange",
  "Txn",
  "Compaction",
  "LeaseGrant",
  "LeaseRevoke",
  "LeaseCheckpoint",
  "Alarm",
  "ClusterVersionSet",
  "ClusterMemberAttrSet",
];
