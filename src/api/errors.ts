/**
 * Every error that a client can see: gRPC code and etcd's exact text. Clients match on the text, so a letter
 * changed here breaks them. Two of them travel as Unknown (2) although etcd names another code: clients of
 * real servers see them so.
 */

/** gRPC status codes. */
export const GrpcCode = {
  OK: 0,
  Canceled: 1,
  Unknown: 2,
  InvalidArgument: 3,
  DeadlineExceeded: 4,
  NotFound: 5,
  AlreadyExists: 6,
  PermissionDenied: 7,
  ResourceExhausted: 8,
  FailedPrecondition: 9,
  Aborted: 10,
  OutOfRange: 11,
  Unimplemented: 12,
  Internal: 13,
  Unavailable: 14,
  DataLoss: 15,
  Unauthenticated: 16,
} as const;

/** The names that go with the codes in metrics and logs, by code. */
export const GRPC_CODE_NAMES: readonly string[] = Object.keys(GrpcCode);

/** An expected failure that is told to the client: a value, made without a stack. */
export class EtcdError {
  readonly code: number;
  readonly message: string;
  constructor(code: number, message: string) {
    this.code = code;
    this.message = message;
  }

  toString(): string {
    return this.message;
  }
}

export const errEmptyKey = new EtcdError(3, "etcdserver: key is not provided");
export const errKeyNotFound = new EtcdError(3, "etcdserver: key not found");
export const errValueProvided = new EtcdError(3, "etcdserver: value is provided");
export const errLeaseProvided = new EtcdError(3, "etcdserver: lease is provided");
export const errTooManyOps = new EtcdError(3, "etcdserver: too many operations in txn request");
export const errDuplicateKey = new EtcdError(3, "etcdserver: duplicate key given in txn request");
export const errInvalidClientAPIVersion = new EtcdError(
  3,
  "etcdserver: invalid client api version",
);
export const errInvalidSortOption = new EtcdError(3, "etcdserver: invalid sort option");
export const errCompacted = new EtcdError(
  11,
  "etcdserver: mvcc: required revision has been compacted",
);
export const errFutureRev = new EtcdError(
  11,
  "etcdserver: mvcc: required revision is a future revision",
);
export const errNoSpace = new EtcdError(8, "etcdserver: mvcc: database space exceeded");
export const errLeaseNotFound = new EtcdError(5, "etcdserver: requested lease not found");
export const errLeaseExist = new EtcdError(9, "etcdserver: lease already exists");
export const errLeaseTTLTooLarge = new EtcdError(11, "etcdserver: too large lease TTL");
export const errWatchCanceled = new EtcdError(1, "etcdserver: watch canceled");
export const errMemberExist = new EtcdError(9, "etcdserver: member ID already exist");
export const errPeerURLExist = new EtcdError(9, "etcdserver: Peer URLs already exists");
export const errMemberNotEnoughStarted = new EtcdError(
  2,
  "etcdserver: re-configuration failed due to not enough started members",
);
export const errMemberBadURLs = new EtcdError(3, "etcdserver: given member URLs are invalid");
export const errMemberNotFound = new EtcdError(5, "etcdserver: member not found");
export const errMemberNotLearner = new EtcdError(
  9,
  "etcdserver: can only promote a learner member",
);
export const errLearnerNotReady = new EtcdError(
  9,
  "etcdserver: can only promote a learner member which is in sync with leader",
);
export const errTooManyLearners = new EtcdError(
  9,
  "etcdserver: too many learner members in cluster",
);
export const errClusterIDMismatch = new EtcdError(9, "etcdserver: cluster ID mismatch");
export const errRequestTooLarge = new EtcdError(3, "etcdserver: request is too large");
export const errRequestTooManyRequests = new EtcdError(2, "etcdserver: too many requests");
export const errRootUserNotExist = new EtcdError(9, "etcdserver: root user does not exist");
export const errRootRoleNotExist = new EtcdError(
  9,
  "etcdserver: root user does not have root role",
);
export const errUserAlreadyExist = new EtcdError(9, "etcdserver: user name already exists");
export const errUserEmpty = new EtcdError(3, "etcdserver: user name is empty");
export const errUserNotFound = new EtcdError(9, "etcdserver: user name not found");
export const errRoleAlreadyExist = new EtcdError(9, "etcdserver: role name already exists");
export const errRoleNotFound = new EtcdError(9, "etcdserver: role name not found");
export const errRoleEmpty = new EtcdError(3, "etcdserver: role name is empty");
export const errAuthFailed = new EtcdError(
  3,
  "etcdserver: authentication failed, invalid user ID or password",
);
export const errPermissionNotGiven = new EtcdError(3, "etcdserver: permission not given");
export const errPermissionDenied = new EtcdError(7, "etcdserver: permission denied");
export const errRoleNotGranted = new EtcdError(9, "etcdserver: role is not granted to the user");
export const errPermissionNotGranted = new EtcdError(
  9,
  "etcdserver: permission is not granted to the role",
);
export const errAuthNotEnabled = new EtcdError(9, "etcdserver: authentication is not enabled");
export const errInvalidAuthToken = new EtcdError(16, "etcdserver: invalid auth token");
export const errInvalidAuthMgmt = new EtcdError(3, "etcdserver: invalid auth management");
export const errAuthOldRevision = new EtcdError(3, "etcdserver: revision of auth store is old");
export const errNoLeader = new EtcdError(14, "etcdserver: no leader");
export const errNotLeader = new EtcdError(9, "etcdserver: not leader");
export const errLeaderChanged = new EtcdError(14, "etcdserver: leader changed");
export const errNotCapable = new EtcdError(9, "etcdserver: not capable");
export const errStopped = new EtcdError(14, "etcdserver: server stopped");
export const errTimeout = new EtcdError(14, "etcdserver: request timed out");
export const errTimeoutDueToLeaderFail = new EtcdError(
  14,
  "etcdserver: request timed out, possibly due to previous leader failure",
);
export const errTimeoutDueToConnectionLost = new EtcdError(
  14,
  "etcdserver: request timed out, possibly due to connection lost",
);
export const errTimeoutWaitAppliedIndex = new EtcdError(
  14,
  "etcdserver: request timed out, waiting for the applied index took too long",
);
export const errUnhealthy = new EtcdError(14, "etcdserver: unhealthy cluster");
export const errCorrupt = new EtcdError(15, "etcdserver: corrupt cluster");
export const errNotSupportedForLearner = new EtcdError(
  9,
  "etcdserver: rpc not supported for learner",
);
export const errBadLeaderTransferee = new EtcdError(9, "etcdserver: bad leader transferee");
export const errWrongDowngradeVersionFormat = new EtcdError(
  3,
  "etcdserver: wrong downgrade target version format",
);
export const errInvalidDowngradeTargetVersion = new EtcdError(
  3,
  "etcdserver: invalid downgrade target version",
);
export const errClusterVersionUnavailable = new EtcdError(
  9,
  "etcdserver: cluster version not found during downgrade",
);
export const errDowngradeInProcess = new EtcdError(
  9,
  "etcdserver: cluster has a downgrade job in progress",
);
export const errNoInflightDowngrade = new EtcdError(9, "etcdserver: no inflight downgrade job");
export const errCanceled = new EtcdError(1, "etcdserver: request canceled");
export const errDeadlineExceeded = new EtcdError(4, "etcdserver: context deadline exceeded");

// Not in etcd's table of client errors; they reach clients as Unknown with this text.
export const errNotPrimary = new EtcdError(2, "not a primary lessor");
export const errLeaderTransferTimeout = new EtcdError(
  2,
  "etcdserver: request timed out, leader transfer took too long",
);
export const errUnknownMethod = new EtcdError(2, "etcdserver: unknown method");

// What the gRPC library itself answers.
export const errContextCanceled = new EtcdError(1, "context canceled");
export const errContextDeadlineExceeded = new EtcdError(4, "context deadline exceeded");

// RangeStream refuses what would need the whole range in memory.
export const errRangeStreamSort = new EtcdError(
  12,
  "RangeStream does not support custom sort orders",
);
export const errRangeStreamFilter = new EtcdError(
  12,
  "RangeStream does not support revision filters",
);
