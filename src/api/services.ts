/**
 * The interfaces between the edges (http, in-process clients) and the server. Edges call these and nothing
 * else of the server; the server implements these and knows nothing of edges. Methods are named after the RPCs.
 */
import type { RequestStream, StreamCall, UnaryCall } from "./calls.ts";
import type * as wire from "./generated/messages.ts";

type Unary<Request, Response> = (request: Request, call: UnaryCall<Response>) => void;
type ServerStream<Request, Response> = (request: Request, call: StreamCall<Response>) => void;
type Bidi<Request, Response> = (
  requests: RequestStream<Request>,
  call: StreamCall<Response>,
) => void;

export interface KvService {
  range: Unary<wire.RangeRequest, wire.RangeResponseInit>;
  rangeStream: ServerStream<wire.RangeRequest, wire.RangeStreamResponseInit>;
  put: Unary<wire.PutRequest, wire.PutResponseInit>;
  deleteRange: Unary<wire.DeleteRangeRequest, wire.DeleteRangeResponseInit>;
  txn: Unary<wire.TxnRequest, wire.TxnResponseInit>;
  compact: Unary<wire.CompactionRequest, wire.CompactionResponseInit>;
}

export interface WatchService {
  watch: Bidi<wire.WatchRequest, wire.WatchResponseInit>;
}

export interface LeaseService {
  leaseGrant: Unary<wire.LeaseGrantRequest, wire.LeaseGrantResponseInit>;
  leaseRevoke: Unary<wire.LeaseRevokeRequest, wire.LeaseRevokeResponseInit>;
  leaseKeepAlive: Bidi<wire.LeaseKeepAliveRequest, wire.LeaseKeepAliveResponseInit>;
  leaseTimeToLive: Unary<wire.LeaseTimeToLiveRequest, wire.LeaseTimeToLiveResponseInit>;
  leaseLeases: Unary<wire.LeaseLeasesRequest, wire.LeaseLeasesResponseInit>;
}

export interface ClusterService {
  memberAdd: Unary<wire.MemberAddRequest, wire.MemberAddResponseInit>;
  memberRemove: Unary<wire.MemberRemoveRequest, wire.MemberRemoveResponseInit>;
  memberUpdate: Unary<wire.MemberUpdateRequest, wire.MemberUpdateResponseInit>;
  memberPromote: Unary<wire.MemberPromoteRequest, wire.MemberPromoteResponseInit>;
  memberList: Unary<wire.MemberListRequest, wire.MemberListResponseInit>;
}

export interface MaintenanceService {
  alarm: Unary<wire.AlarmRequest, wire.AlarmResponseInit>;
  status: Unary<wire.StatusRequest, wire.StatusResponseInit>;
  defragment: Unary<wire.DefragmentRequest, wire.DefragmentResponseInit>;
  hash: Unary<wire.HashRequest, wire.HashResponseInit>;
  hashKV: Unary<wire.HashKVRequest, wire.HashKVResponseInit>;
  snapshot: ServerStream<wire.SnapshotRequest, wire.SnapshotResponseInit>;
  moveLeader: Unary<wire.MoveLeaderRequest, wire.MoveLeaderResponseInit>;
}

/** Answers for probes and pages that are not RPCs. */
export interface HealthService {
  /** Whether a leader is known. */
  hasLeader(): boolean;
  /** Names of the active alarms, such as NOSPACE. */
  activeAlarms(): string[];
  isLearner(): boolean;
  /** How long the log's disk has not finished a sync, if that is too long; else 0. */
  stalledDiskMs(): number;
  /** Reads through the log's commit point; `done` gets null or the error's text. */
  probeRead(serializable: boolean, done: (error: string | null) => void): void;
  versions(): { server: string; cluster: string; storage: string; cairn: string };
}

/** Everything one member serves. */
export interface Services {
  readonly kv: KvService;
  readonly watch: WatchService;
  readonly lease: LeaseService;
  readonly cluster: ClusterService;
  readonly maintenance: MaintenanceService;
  readonly health: HealthService;
}
