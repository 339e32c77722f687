/** One printer per output format; each gives the whole text of a result, or says that it cannot. */
import type {
  AlarmMember,
  AlarmResponse,
  DeleteRangeResponse,
  HashKVResponse,
  LeaseGrantResponse,
  LeaseKeepAliveResponse,
  LeaseLeasesResponse,
  LeaseRevokeResponse,
  LeaseTimeToLiveResponse,
  MemberAddResponse,
  MemberListResponse,
  MemberPromoteResponse,
  MemberRemoveResponse,
  MemberUpdateResponse,
  MoveLeaderResponse,
  PutResponse,
  RangeResponse,
  StatusResponse,
  TxnResponse,
  WatchResponse,
} from "../../api/index.ts";
import { ExitCode, ExitError } from "../args/index.ts";
import { FieldsPrinter } from "./printers/fields-printer.ts";
import { JsonPrinter } from "./printers/json-printer.ts";
import { ProtobufPrinter } from "./printers/protobuf-printer.ts";
import { SimplePrinter } from "./printers/simple-printer.ts";
import { TablePrinter } from "./printers/table-printer.ts";

export type Printed = string | Uint8Array;

export interface EndpointHealth {
  readonly endpoint: string;
  readonly health: boolean;
  readonly took: string;
  readonly error: string;
}

export interface EndpointStatus {
  readonly endpoint: string;
  readonly status: StatusResponse;
}

export interface EndpointHash {
  readonly endpoint: string;
  readonly hash: HashKVResponse;
}

/** What disarming gives: the alarms alone, there is no single answer to take a header from. */
export interface DisarmedAlarms {
  readonly alarms: readonly AlarmMember[];
}

export interface Printer {
  range(response: RangeResponse, valuesOnly: boolean): Printed;
  put(response: PutResponse): Printed;
  del(response: DeleteRangeResponse): Printed;
  txn(response: TxnResponse): Printed;
  watch(response: WatchResponse): Printed;
  leaseGrant(response: LeaseGrantResponse): Printed;
  leaseRevoke(id: bigint, response: LeaseRevokeResponse): Printed;
  leaseTimeToLive(response: LeaseTimeToLiveResponse, withKeys: boolean): Printed;
  leaseList(response: LeaseLeasesResponse): Printed;
  leaseKeepAlive(response: LeaseKeepAliveResponse): Printed;
  memberList(response: MemberListResponse): Printed;
  memberAdd(response: MemberAddResponse): Printed;
  memberRemove(id: bigint, response: MemberRemoveResponse): Printed;
  memberUpdate(id: bigint, response: MemberUpdateResponse): Printed;
  memberPromote(id: bigint, response: MemberPromoteResponse): Printed;
  alarms(response: AlarmResponse | DisarmedAlarms): Printed;
  /** Healthy ones on the first text, the others on the second, which goes to standard error. */
  endpointHealth(list: readonly EndpointHealth[]): { out: Printed; errors: string };
  endpointStatus(list: readonly EndpointStatus[]): Printed;
  endpointHash(list: readonly EndpointHash[]): Printed;
  moveLeader(from: bigint, to: bigint, response: MoveLeaderResponse): Printed;
}

export function newPrinter(format: string, hex: boolean): Printer {
  switch (format) {
    case "simple":
      return new SimplePrinter(hex);
    case "fields":
      return new FieldsPrinter();
    case "json":
      return new JsonPrinter(hex);
    case "protobuf":
      return new ProtobufPrinter();
    case "table":
      return new TablePrinter();
    default:
      throw new ExitError(ExitCode.badFeature, "unsupported output format");
  }
}
