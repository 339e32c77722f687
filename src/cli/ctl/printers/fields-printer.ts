/** The format of named fields, one per line, strings quoted as Go quotes them. */
import type * as wire from "../../../api/index.ts";
import { goQuote, goQuoteText } from "../../output/index.ts";
import type {
  DisarmedAlarms,
  EndpointHash,
  EndpointHealth,
  EndpointStatus,
  Printer,
} from "../printer.ts";
import { alarmName } from "./alarm-text.ts";
import { unsupported } from "./unsupported.ts";

type Value = string | number | bigint | boolean;

export class FieldsPrinter implements Printer {
  range(response: wire.RangeResponse): string {
    const kvs = response.kvs.map((kv) => keyValue("", kv)).join("");
    const tail = field("More", response.more) + field("Count", response.count);
    return header(response.header) + kvs + tail;
  }

  put(response: wire.PutResponse): string {
    return header(response.header) + keyValue("Prev", response.prev_kv);
  }

  del(response: wire.DeleteRangeResponse): string {
    const previous = response.prev_kvs.map((kv) => keyValue("Prev", kv)).join("");
    return header(response.header) + field("Deleted", response.deleted) + previous;
  }

  txn(response: wire.TxnResponse): string {
    const operations = response.responses.map((op) => this.#operation(op)).join("");
    return header(response.header) + field("Succeeded", response.succeeded) + operations;
  }

  watch(response: wire.WatchResponse): string {
    const events = response.events.map(
      (event) =>
        field("Type", event.type === 0 ? "PUT" : "DELETE") +
        keyValue("Prev", event.prev_kv) +
        keyValue("", event.kv),
    );
    return header(response.header) + events.join("");
  }

  leaseGrant(response: wire.LeaseGrantResponse): string {
    return header(response.header) + field("ID", response.ID) + field("TTL", response.TTL);
  }

  leaseRevoke(_id: bigint, response: wire.LeaseRevokeResponse): string {
    return header(response.header);
  }

  leaseTimeToLive(response: wire.LeaseTimeToLiveResponse): string {
    const keys = response.keys.map((key) => field("Key", goQuote(key))).join("");
    const life = field("TTL", response.TTL) + field("GrantedTTL", response.grantedTTL);
    return header(response.header) + field("ID", response.ID) + life + keys;
  }

  leaseList(response: wire.LeaseLeasesResponse): string {
    return header(response.header) + response.leases.map((lease) => field("ID", lease.ID)).join("");
  }

  leaseKeepAlive(response: wire.LeaseKeepAliveResponse): string {
    return header(response.header) + field("ID", response.ID) + field("TTL", response.TTL);
  }

  memberList(response: wire.MemberListResponse): string {
    const members = response.members.map((member) => {
      const peers = member.peerURLs.map((url) => field("PeerURL", goQuoteText(url))).join("");
      const clients = member.clientURLs.map((url) => field("ClientURL", goQuoteText(url))).join("");
      const name = field("Name", goQuoteText(member.name));
      const learner = field("IsLearner", member.isLearner);
      return `${field("ID", member.ID)}${name}${peers}${clients}${learner}\n`;
    });
    return header(response.header) + members.join("");
  }

  memberAdd(): string {
    return unsupported("fields");
  }

  memberRemove(): string {
    return unsupported("fields");
  }

  memberUpdate(): string {
    return unsupported("fields");
  }

  memberPromote(): string {
    return unsupported("fields");
  }

  alarms(response: wire.AlarmResponse | DisarmedAlarms): string {
    const alarms = response.alarms.map(
      (member) =>
        `${field("MemberID", member.memberID)}${field("AlarmType", alarmName(member.alarm))}\n`,
    );
    return ("header" in response ? header(response.header) : "") + alarms.join("");
  }

  endpointHealth(list: readonly EndpointHealth[]): { out: string; errors: string } {
    const parts = list.map(
      (each) =>
        field("Endpoint", goQuoteText(each.endpoint)) +
        field("Health", each.health) +
        field("Took", each.took) +
        `${field("Error", each.error)}\n`,
    );
    return { out: parts.join(""), errors: "" };
  }

  endpointStatus(list: readonly EndpointStatus[]): string {
    const parts = list.map(
      ({ endpoint, status }) =>
        header(status.header) +
        field("Version", goQuoteText(status.version)) +
        field("DBSize", status.dbSize) +
        field("Leader", status.leader) +
        field("IsLearner", status.isLearner) +
        field("RaftIndex", status.raftIndex) +
        field("RaftTerm", status.raftTerm) +
        field("RaftAppliedIndex", status.raftAppliedIndex) +
        field("Errors", `[${status.errors.join(" ")}]`) +
        `${field("Endpoint", goQuoteText(endpoint))}\n`,
    );
    return parts.join("");
  }

  endpointHash(list: readonly EndpointHash[]): string {
    const parts = list.map(
      ({ endpoint, hash }) =>
        header(hash.header) +
        field("Endpoint", goQuoteText(endpoint)) +
        `${field("Hash", hash.hash)}\n`,
    );
    return parts.join("");
  }

  moveLeader(): string {
    return unsupported("fields");
  }

  #operation(op: wire.ResponseOp): string {
    if (op.response_range !== undefined) return this.range(op.response_range);
    if (op.response_put !== undefined) return this.put(op.response_put);
    if (op.response_delete_range !== undefined) return this.del(op.response_delete_range);
    return op.response_txn === undefined ? "" : this.txn(op.response_txn);
  }
}

function field(name: string, value: Value): string {
  return `"${name}" : ${value}\n`;
}

function header(of: wire.ResponseHeader | undefined): string {
  return (
    field("ClusterID", of?.cluster_id ?? 0n) +
    field("MemberID", of?.member_id ?? 0n) +
    field("Revision", of?.revision ?? 0) +
    field("RaftTerm", of?.raft_term ?? 0)
  );
}

function keyValue(prefix: string, kv: wire.KeyValue | undefined): string {
  if (kv === undefined) return "";
  return (
    field(`${prefix}Key`, goQuote(kv.key)) +
    field(`${prefix}CreateRevision`, kv.create_revision) +
    field(`${prefix}ModRevision`, kv.mod_revision) +
    field(`${prefix}Version`, kv.version) +
    field(`${prefix}Value`, goQuote(kv.value)) +
    field(`${prefix}Lease`, kv.lease)
  );
}
