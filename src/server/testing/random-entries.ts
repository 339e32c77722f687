/** Entries of a log, from a seed: keys, leases, compactions, members and alarms that meet. */
import type { SeededRandom } from "../../../test/disk/seeded-random.ts";
import {
  encodeAlarmRequest,
  encodeCompactionRequest,
  encodeDeleteRangeRequest,
  encodeLeaseGrantRequest,
  encodeLeaseRevokeRequest,
  encodePutRequest,
  encodeTxnRequest,
  ProtoWriter,
} from "../../api/index.ts";
import { EMPTY_BYTES, utf8 } from "../../base/bytes.ts";
import { ENTRY_COMMAND, ENTRY_MEMBERSHIP } from "../../raft/index.ts";
import {
  CommandKind,
  encodeCommand,
  encodeMembershipEntry,
  type LogEntry,
} from "../../state-machine/index.ts";

const KEYS = ["a", "b", "c", "d", "e", "f"];
const LEASES = [1n, 2n, 3n];

export class RandomEntries {
  readonly #random: SeededRandom;
  #index: number;
  #term = 1;

  /** The first one is at `firstIndex`. */
  constructor(random: SeededRandom, firstIndex: number) {
    this.#random = random;
    this.#index = firstIndex;
  }

  take(count: number): LogEntry[] {
    return Array.from({ length: count }, () => this.next());
  }

  next(): LogEntry {
    if (this.#random.chance(0.03)) this.#term++;
    const index = this.#index++;
    const term = this.#term;
    if (this.#random.chance(0.05)) {
      return { index, term, kind: ENTRY_MEMBERSHIP, data: this.#membership() };
    }
    return { index, term, kind: ENTRY_COMMAND, data: this.#command(index) };
  }

  #command(index: number): Uint8Array {
    const random = this.#random;
    const { put, deleteRange, txn, leaseGrant, leaseRevoke, compaction, alarm } = CommandKind;
    const choice = random.below(40);
    if (choice < 20) return command(put, encodePutRequest, this.#put());
    if (choice < 24) {
      const request = { key: this.#key(), range_end: random.chance(0.2) ? utf8("d") : EMPTY_BYTES };
      return command(deleteRange, encodeDeleteRangeRequest, request);
    }
    if (choice < 28) {
      // Two changes of one revision.
      const other = { key: utf8("z"), value: utf8(`${index}`) };
      const success = [{ request_put: this.#put() }, { request_put: other }];
      return command(txn, encodeTxnRequest, { success });
    }
    const ID = LEASES[random.below(LEASES.length)]!;
    if (choice < 33) return command(leaseGrant, encodeLeaseGrantRequest, { ID, TTL: 60 });
    if (choice < 35) return command(leaseRevoke, encodeLeaseRevokeRequest, { ID });
    if (choice < 37) {
      // Often in the future, which is refused, or in the past.
      const revision = random.below(index + 1);
      return command(compaction, encodeCompactionRequest, { revision });
    }
    if (choice < 39) return EMPTY_BYTES;
    const request = { action: 1 + random.below(2), memberID: 7n, alarm: 1 };
    return command(alarm, encodeAlarmRequest, request);
  }

  #key(): Uint8Array {
    return utf8(KEYS[this.#random.below(KEYS.length)]!);
  }

  #put() {
    const random = this.#random;
    const lease = random.chance(0.3) ? LEASES[random.below(LEASES.length)]! : 0n;
    const length = random.chance(0.05) ? 3000 : random.below(50);
    return { key: this.#key(), value: new Uint8Array(length).fill(97 + random.below(26)), lease };
  }

  #membership(): Uint8Array {
    const id = BigInt(100 + this.#random.below(3));
    const peerUrls = [`http://peer-${id}:1`];
    const member = { id, peerUrls, name: "", clientUrls: [], isLearner: false };
    const change = this.#random.chance(0.8) ? "add-voter" : "remove";
    return encodeMembershipEntry({ change, learnersMax: 1, member, origin: 0, requestId: 0 });
  }
}

function command<Request>(
  kind: number,
  encode: (writer: ProtoWriter, request: Request) => void,
  request: Request,
): Uint8Array {
  const writer = new ProtoWriter(256);
  encode(writer, request);
  // A copy: commands share memory.
  return encodeCommand(kind, 0, 0, "", 0, writer.finish()).slice();
}
