/** Tables, for what is a list of members or endpoints; nothing else has one. */
import type * as wire from "../../../api/index.ts";
import { tableText } from "../../output/index.ts";
import type { EndpointHash, EndpointHealth, EndpointStatus, Printer } from "../printer.ts";
import {
  HASH_HEADINGS,
  hashRows,
  MEMBER_HEADINGS,
  memberRows,
  STATUS_HEADINGS,
  statusRows,
} from "./rows.ts";
import { unsupported } from "./unsupported.ts";

const none = (): never => unsupported("table");

export class TablePrinter implements Printer {
  readonly range = none;
  readonly put = none;
  readonly del = none;
  readonly txn = none;
  readonly watch = none;
  readonly leaseGrant = none;
  readonly leaseRevoke = none;
  readonly leaseTimeToLive = none;
  readonly leaseList = none;
  readonly leaseKeepAlive = none;
  readonly memberAdd = none;
  readonly memberRemove = none;
  readonly memberUpdate = none;
  readonly memberPromote = none;
  readonly alarms = none;
  readonly moveLeader = none;

  memberList(response: wire.MemberListResponse): string {
    return tableText(MEMBER_HEADINGS, memberRows(response));
  }

  endpointHealth(list: readonly EndpointHealth[]): { out: string; errors: string } {
    const rows = list.map((each) => [each.endpoint, String(each.health), each.took, each.error]);
    return { out: tableText(["ENDPOINT", "HEALTH", "TOOK", "ERROR"], rows), errors: "" };
  }

  endpointStatus(list: readonly EndpointStatus[]): string {
    return tableText(STATUS_HEADINGS, statusRows(list));
  }

  endpointHash(list: readonly EndpointHash[]): string {
    return tableText(HASH_HEADINGS, hashRows(list));
  }
}
