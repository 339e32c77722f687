/**
 * JSON as etcdctl prints it: messages by their fields, and the few answers that etcd's client library reshapes
 * (leases, watches, endpoints) in those shapes.
 */
import type * as wire from "../../../api/index.ts";
import {
  type JsonText,
  jsonBytes,
  jsonList,
  jsonObject,
  jsonString,
  messageEntries,
  messageJson,
} from "../../output/index.ts";
import type {
  DisarmedAlarms,
  EndpointHash,
  EndpointHealth,
  EndpointStatus,
  Printer,
} from "../printer.ts";

export class JsonPrinter implements Printer {
  readonly #hex: boolean;

  constructor(hex: boolean) {
    this.#hex = hex;
  }

  range(response: wire.RangeResponse): string {
    return message("RangeResponse", response);
  }

  put(response: wire.PutResponse): string {
    return message("PutResponse", response);
  }

  del(response: wire.DeleteRangeResponse): string {
    return message("DeleteRangeResponse", response);
  }

  txn(response: wire.TxnResponse): string {
    return message("TxnResponse", response);
  }

  watch(response: wire.WatchResponse): string {
    return object([
      ["Header", messageJson("ResponseHeader", response.header ?? {})],
      ["Events", jsonList(response.events.map((event) => messageJson("Event", event)))],
      ["CompactRevision", String(response.compact_revision)],
      ["Canceled", String(response.canceled)],
      ["Created", String(response.created)],
    ]);
  }

  leaseGrant(response: wire.LeaseGrantResponse): string {
    return object([
      ...headerEntries(response.header),
      ["ID", String(response.ID)],
      ["TTL", String(response.TTL)],
      ["Error", jsonString(response.error)],
    ]);
  }

  leaseRevoke(_id: bigint, response: wire.LeaseRevokeResponse): string {
    return message("LeaseRevokeResponse", response);
  }

  leaseTimeToLive(response: wire.LeaseTimeToLiveResponse): string {
    const keys = response.keys.length === 0 ? "null" : jsonList(response.keys.map(jsonBytes));
    return object([
      ...headerEntries(response.header),
      ["id", String(response.ID)],
      ["ttl", String(response.TTL)],
      ["granted-ttl", String(response.grantedTTL)],
      ["keys", keys],
    ]);
  }

  leaseList(response: wire.LeaseLeasesResponse): string {
    const leases = response.leases.map((lease) => jsonObject([["id", String(lease.ID)]]));
    return object([...headerEntries(response.header), ["leases", jsonList(leases)]]);
  }

  leaseKeepAlive(response: wire.LeaseKeepAliveResponse): string {
    return object([
      ...headerEntries(response.header),
      ["ID", String(response.ID)],
      ["TTL", String(response.TTL)],
    ]);
  }

  memberList(response: wire.MemberListResponse): string {
    if (!this.#hex) return message("MemberListResponse", response);
    return object([
      ["header", hexHeader(response.header)],
      ["members", jsonList(response.members.map(hexMember))],
    ]);
  }

  memberAdd(response: wire.MemberAddResponse): string {
    return message("MemberAddResponse", response);
  }

  memberRemove(_id: bigint, response: wire.MemberRemoveResponse): string {
    return message("MemberRemoveResponse", response);
  }

  memberUpdate(_id: bigint, response: wire.MemberUpdateResponse): string {
    return message("MemberUpdateResponse", response);
  }

  memberPromote(_id: bigint, response: wire.MemberPromoteResponse): string {
    return message("MemberPromoteResponse", response);
  }

  alarms(response: wire.AlarmResponse | DisarmedAlarms): string {
    return message("AlarmResponse", response);
  }

  endpointHealth(list: readonly EndpointHealth[]): { out: string; errors: string } {
    const items = list.map((each) =>
      jsonObject([
        ["endpoint", jsonString(each.endpoint)],
        ["health", String(each.health)],
        ["took", jsonString(each.took)],
        ["error", each.error === "" ? undefined : jsonString(each.error)],
      ]),
    );
    return { out: `${jsonList(items)}\n`, errors: "" };
  }

  endpointStatus(list: readonly EndpointStatus[]): string {
    const items = list.map(({ endpoint, status }) =>
      jsonObject([
        ["Endpoint", jsonString(endpoint)],
        ["Status", messageJson("StatusResponse", status)],
      ]),
    );
    return `${jsonList(items)}\n`;
  }

  endpointHash(list: readonly EndpointHash[]): string {
    const items = list.map(({ endpoint, hash }) =>
      jsonObject([
        ["Endpoint", jsonString(endpoint)],
        ["HashKV", messageJson("HashKVResponse", hash)],
      ]),
    );
    return `${jsonList(items)}\n`;
  }

  moveLeader(_from: bigint, _to: bigint, response: wire.MoveLeaderResponse): string {
    return message("MoveLeaderResponse", response);
  }
}

function message(type: string, value: unknown): string {
  return `${messageJson(type, value)}\n`;
}

function object(entries: readonly (readonly [string, JsonText | undefined])[]): string {
  return `${jsonObject(entries)}\n`;
}

function headerEntries(header: wire.ResponseHeader | undefined): [string, JsonText | undefined][] {
  return header === undefined ? [] : messageEntries("ResponseHeader", header);
}

function hexHeader(header: wire.ResponseHeader | undefined): JsonText {
  const entries = messageEntries("ResponseHeader", header ?? {});
  const ids = ["cluster_id", "member_id"];
  return jsonObject(
    entries.map(([name, value]) =>
      ids.includes(name) && value !== undefined
        ? [name, jsonString(BigInt(value).toString(16))]
        : [name, value],
    ),
  );
}

/** Members with ids in hexadecimal; the odd spelling of the last name is etcdctl's. */
function hexMember(member: wire.Member): JsonText {
  const urls = (list: readonly string[]) =>
    list.length === 0 ? "null" : jsonList(list.map(jsonString));
  return jsonObject([
    ["ID", jsonString(member.ID.toString(16))],
    ["name", jsonString(member.name)],
    ["peerURLs", urls(member.peerURLs)],
    ["clientURLS", urls(member.clientURLs)],
  ]);
}
