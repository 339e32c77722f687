/**
 * A state machine with everything it stands on, over a disk that can lose power, and the log that it is fed from: for
 * property tests. After a crash the log is replayed from the applied index, as the server does.
 */
import { ProtoWriter } from "../../api/index.ts";
import { utf8Text } from "../../base/bytes.ts";
import { Alarms, Membership } from "../../cluster/index.ts";
import { Database } from "../../database/index.ts";
import type { Disk } from "../../io/index.ts";
import { Lessor } from "../../lease/index.ts";
import { type KeyValueHash, KeyValueHashTask, Store } from "../../mvcc/index.ts";
import type { MembershipChange } from "../../raft/index.ts";
import { encodeCommand } from "../command-codec.ts";
import { type LogEntry, type Reply, type ReplySink, StateMachine } from "../state-machine.ts";

const EVERYTHING = { key: new Uint8Array([0]), end: new Uint8Array([0]) };
const ALL = { limit: 0, countOnly: false, keysOnly: false };

/** The bytes of a command, as the log holds them. `requestId` 0: nobody waits. */
export function commandOf<Request>(
  kind: number,
  requestId: number,
  encode: (writer: ProtoWriter, request: Request) => void,
  request: Request,
): Uint8Array {
  const writer = new ProtoWriter(256);
  encode(writer, request);
  return encodeCommand(kind, 0, requestId, "", 0, writer.finish());
}

export class MachineBench {
  readonly #disk: Disk;
  /** By log index: the first reply that was given. A replay must give the same. */
  readonly replies = new Map<number, string>();
  database!: Database;
  store!: Store;
  lessor!: Lessor;
  membership!: Membership;
  alarms!: Alarms;
  /** What raft was told, by log index. */
  readonly changes = new Map<number, MembershipChange | null>();
  machine!: StateMachine;

  constructor(disk: Disk) {
    this.#disk = disk;
    this.open();
  }

  /** Opens what is on the disk, as a start does. */
  open(): void {
    const database = Database.open({
      file: this.#disk.open("db", { create: true }),
      pageCacheBytes: 1 << 20,
      onFailure: (error) => {
        throw error;
      },
    });
    this.#disk.syncDirectory("");
    const lessor = new Lessor(database, { ttlSecondsMin: 2 });
    const store = Store.open({
      database,
      onChanges: () => {},
      onLease: (key, leaseId) => {
        if (lessor.has(leaseId)) lessor.attach(key, leaseId);
      },
    });
    const membership = new Membership(database);
    const alarms = new Alarms(database);
    this.machine = new StateMachine({ database, store, lessor, membership, alarms });
    Object.assign(this, { database, lessor, store, membership, alarms });
  }

  /** Applies an entry; throws when a replay answers otherwise than the first time. */
  apply(entry: LogEntry): void {
    const sink: ReplySink = (_requestId, _kind, reply) => {
      const text = replyText(reply);
      const before = this.replies.get(entry.index);
      if (before !== undefined && before !== text) {
        throw new Error(`entry ${entry.index} was answered ${before}, and in a replay ${text}`);
      }
      this.replies.set(entry.index, text);
    };
    this.machine.apply(entry, 0, sink, (index, change) => this.changes.set(index, change));
  }

  /**
   * Sweeps what compactions left and commits everything. While a sweep is under way and no key is left, the hash
   * depends on how far it came (as on a real member).
   */
  settle(): void {
    this.database.commitNow();
    while (this.store.isCompacting()) this.store.compactionStep(1000);
    this.database.commitNow();
  }

  /** Everything that an entry can change, as text: what two machines are compared by. After `settle`. */
  state(): string[] {
    const { store, lessor, machine, database } = this;
    const lines = [
      `revision ${store.revision()} compacted ${store.compactRevision()}`,
      `applied ${machine.appliedIndex()} term ${machine.appliedTerm()}`,
      `stored ${database.consistentIndex()} term ${database.consistentTerm()}`,
      `hash ${this.hash().hash}`,
    ];
    for (let at = Math.max(store.compactRevision(), 1); at <= store.revision(); at++) {
      lines.push(`at ${at}: ${this.records(at).join(" ")}`);
    }
    for (const lease of lessor.byExpiry()) {
      const keys = lessor.sortedKeys(lease.id).map(utf8Text).join();
      lines.push(`lease ${lease.id} ${lease.ttlSeconds} ${lease.remainingTtlSeconds} [${keys}]`);
    }
    for (const bucket of ["lease", "alarm", "members", "members_removed", "cluster"] as const) {
      database.forEach(bucket, (key, value) => lines.push(`${bucket} ${hex(key)} ${hex(value)}`));
    }
    return lines.sort();
  }

  records(revision: number): string[] {
    const { key, end } = EVERYTHING;
    const result = this.store.range(key, end, { ...ALL, revision });
    return typeof result === "string" ? [result] : result.kvs.map(hex);
  }

  hash(): KeyValueHash {
    const task = this.store.beginHash(0);
    if (!(task instanceof KeyValueHashTask)) return task as KeyValueHash;
    while (task.step(1000) === false);
    return task.result();
  }
}

function hex(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString("hex");
}

/** Any reply as text: bytes in hex, ids as numbers. */
export function replyText(reply: Reply): string {
  return JSON.stringify(reply, (_key, value) => {
    if (value instanceof Uint8Array) return hex(value);
    if (value instanceof Error) return value.message;
    return typeof value === "bigint" ? String(value) : value;
  });
}
