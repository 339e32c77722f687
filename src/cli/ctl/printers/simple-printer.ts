/** The format for people and shell scripts: bare keys and values, one line each. */
import type * as wire from "../../../api/index.ts";
import { concatBytes, utf8 } from "../../../base/bytes.ts";
import { hexText } from "../../output/index.ts";
import type {
  DisarmedAlarms,
  EndpointHash,
  EndpointHealth,
  EndpointStatus,
  Printer,
} from "../printer.ts";
import { alarmText } from "./alarm-text.ts";
import { hashRows, memberRows, statusRows } from "./rows.ts";

const ID_WIDTH = 16;

export class SimplePrinter implements Printer {
  readonly #hex: boolean;

  constructor(hex: boolean) {
    this.#hex = hex;
  }

  range(response: wire.RangeResponse, valuesOnly: boolean): Uint8Array {
    return concatBytes(response.kvs.flatMap((kv) => this.#keyValue(kv, valuesOnly)));
  }

  put(response: wire.PutResponse): Uint8Array {
    const previous = response.prev_kv === undefined ? [] : this.#keyValue(response.prev_kv, false);
    return concatBytes([utf8("OK\n"), ...previous]);
  }

  del(response: wire.DeleteRangeResponse): Uint8Array {
    const previous = response.prev_kvs.flatMap((kv) => this.#keyValue(kv, false));
    return concatBytes([utf8(`${response.deleted}\n`), ...previous]);
  }

  txn(response: wire.TxnResponse): Uint8Array {
    const parts: Uint8Array[] = [utf8(response.succeeded ? "SUCCESS\n" : "FAILURE\n")];
    for (const op of response.responses) parts.push(utf8("\n"), this.#operation(op));
    return concatBytes(parts);
  }

  watch(response: wire.WatchResponse): Uint8Array {
    const parts: Uint8Array[] = [];
    for (const event of response.events) {
      parts.push(utf8(event.type === 0 ? "PUT\n" : "DELETE\n"));
      if (event.prev_kv !== undefined) parts.push(...this.#keyValue(event.prev_kv, false));
      if (event.kv !== undefined) parts.push(...this.#keyValue(event.kv, false));
    }
    return concatBytes(parts);
  }

  leaseGrant(response: wire.LeaseGrantResponse): string {
    return `lease ${idText(response.ID)} granted with TTL(${response.TTL}s)\n`;
  }

  leaseRevoke(id: bigint): string {
    return `lease ${idText(id)} revoked\n`;
  }

  leaseTimeToLive(response: wire.LeaseTimeToLiveResponse, withKeys: boolean): Uint8Array {
    const lease = `lease ${idText(response.ID)}`;
    if (response.grantedTTL === 0 && response.TTL === -1) return utf8(`${lease} already expired\n`);
    const life = `granted with TTL(${response.grantedTTL}s), remaining(${response.TTL}s)`;
    if (!withKeys) return utf8(`${lease} ${life}\n`);
    const keys = response.keys.flatMap((key, i) => (i === 0 ? [key] : [utf8(" "), key]));
    return concatBytes([utf8(`${lease} ${life}, attached keys([`), ...keys, utf8("])\n")]);
  }

  leaseList(response: wire.LeaseLeasesResponse): string {
    const ids = response.leases.map((lease) => `${idText(lease.ID)}\n`).join("");
    return `found ${response.leases.length} leases\n${ids}`;
  }

  leaseKeepAlive(response: wire.LeaseKeepAliveResponse): string {
    return `lease ${idText(response.ID)} keepalived with TTL(${response.TTL})\n`;
  }

  memberList(response: wire.MemberListResponse): string {
    return memberRows(response).map(commaLine).join("");
  }

  memberAdd(response: wire.MemberAddResponse): string {
    return memberLine(response.member?.ID ?? 0n, "added to", response.header);
  }

  memberRemove(id: bigint, response: wire.MemberRemoveResponse): string {
    return memberLine(id, "removed from", response.header);
  }

  memberUpdate(id: bigint, response: wire.MemberUpdateResponse): string {
    return memberLine(id, "updated in", response.header);
  }

  memberPromote(id: bigint, response: wire.MemberPromoteResponse): string {
    return memberLine(id, "promoted in", response.header);
  }

  alarms(response: wire.AlarmResponse | DisarmedAlarms): string {
    return response.alarms.map((member) => `${alarmText(member)}\n`).join("");
  }

  endpointHealth(list: readonly EndpointHealth[]): { out: string; errors: string } {
    const healthy = list.filter((each) => each.error === "");
    const ill = list.filter((each) => each.error !== "");
    return {
      out: healthy
        .map(
          ({ endpoint, took }) =>
            `${endpoint} is healthy: successfully committed proposal: took = ${took}\n`,
        )
        .join(""),
      errors: ill
        .map(
          ({ endpoint, error }) =>
            `${endpoint} is unhealthy: failed to commit proposal: ${error}\n`,
        )
        .join(""),
    };
  }

  endpointStatus(list: readonly EndpointStatus[]): string {
    return statusRows(list).map(commaLine).join("");
  }

  endpointHash(list: readonly EndpointHash[]): string {
    return hashRows(list).map(commaLine).join("");
  }

  moveLeader(from: bigint, to: bigint): string {
    return `Leadership transferred from ${idText(from)} to ${idText(to)}\n`;
  }

  #operation(op: wire.ResponseOp): Uint8Array {
    if (op.response_range !== undefined) return this.range(op.response_range, false);
    if (op.response_put !== undefined) return this.put(op.response_put);
    if (op.response_delete_range !== undefined) return this.del(op.response_delete_range);
    return op.response_txn === undefined ? new Uint8Array(0) : this.txn(op.response_txn);
  }

  #keyValue(kv: wire.KeyValue, valueOnly: boolean): Uint8Array[] {
    const show = (bytes: Uint8Array) => (this.#hex ? utf8(hexText(bytes)) : bytes);
    const value = [show(kv.value), utf8("\n")];
    return valueOnly ? value : [show(kv.key), utf8("\n"), ...value];
  }
}

function commaLine(row: readonly string[]): string {
  return `${row.join(", ")}\n`;
}

function idText(id: bigint): string {
  return BigInt.asUintN(64, id).toString(16).padStart(ID_WIDTH, "0");
}

function memberLine(id: bigint, what: string, header: wire.ResponseHeader | undefined): string {
  const padded = (value: bigint) => value.toString(16).padStart(ID_WIDTH);
  return `Member ${padded(id)} ${what} cluster ${padded(header?.cluster_id ?? 0n)}\n`;
}
