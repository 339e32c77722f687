/** What stands in for a part's neighbours in the tests of src/server, and a whole member on a disk that can fail. */
import { FaultDisk } from "../../../test/disk/fault-disk.ts";
import { SimClock } from "../../../test/simulation/sim-clock.ts";
import { errNoLeader, type ProtoWriter } from "../../api/index.ts";
import { utf8 } from "../../base/bytes.ts";
import { Database } from "../../database/index.ts";
import type { DiskError, Logger, NewDigest } from "../../io/index.ts";
import { Store } from "../../mvcc/index.ts";
import { NoPeers } from "../../peer/index.ts";
import type { MemberOptions } from "../member-options.ts";
import type { Waiter } from "../proposal-queue.ts";
import type { Proposer } from "../proposer.ts";

export function openTestDatabase(disk = new FaultDisk()): Database {
  return Database.open({
    file: disk.open("db", { create: true }),
    pageCacheBytes: 1 << 20,
    onFailure: (error) => {
      throw error;
    },
  });
}

export function openTestStore(database: Database): Store {
  return Store.open({ database, onChanges: () => {} });
}

/** Puts one key in a revision of its own. */
export function putKey(store: Store, key: string, value = "v"): void {
  const transaction = store.beginTransaction();
  transaction.put(utf8(key), utf8(value), 0n, false);
  transaction.end();
}

export interface Proposed {
  readonly kind: number;
  readonly request: Record<string, unknown>;
}

/** Remembers what was proposed; `refuses` is what a member without a leader does. */
export class RecordingProposer {
  readonly proposed: Proposed[] = [];
  /** Of proposals with a waiter, in order; the test answers them. */
  readonly waiters: Waiter[] = [];
  refuses = false;

  propose(
    kind: number,
    encode: (writer: ProtoWriter, request: never) => void,
    request: Record<string, unknown>,
    waiter: Waiter,
  ): void {
    if (this.proposeAsLeader(kind, encode, request)) this.waiters.push(waiter);
    else waiter.fail(errNoLeader);
  }

  proposeAsLeader(
    kind: number,
    _encode: (writer: ProtoWriter, request: never) => void,
    request: Record<string, unknown>,
  ): boolean {
    if (this.refuses) return false;
    this.proposed.push({ kind, request });
    return true;
  }

  get asProposer(): Proposer {
    return this as unknown as Proposer;
  }
}

export interface LogLine {
  readonly level: string;
  readonly message: string;
  readonly fields: Record<string, unknown>;
}

export class RecordingLogger implements Logger {
  readonly lines: LogLine[] = [];
  readonly #add =
    (level: string) =>
    (message: string, fields: Record<string, unknown> = {}) => {
      this.lines.push({ level, message, fields });
    };
  readonly debug = this.#add("debug");
  readonly info = this.#add("info");
  readonly warn = this.#add("warn");
  readonly error = this.#add("error");

  messages(): string[] {
    return this.lines.map((line) => line.message);
  }
}

/** No cryptography is needed: ids only have to follow from what is hashed. */
export const testDigest: NewDigest = (algorithm) => {
  const bytes = new Uint8Array(algorithm === "sha1" ? 20 : 32);
  let at = 0;
  return {
    update(data) {
      for (const byte of data) {
        const i = at++ % bytes.length;
        bytes[i] = (bytes[i]! * 31 + byte) & 0xff;
      }
    },
    finish: () => bytes,
  };
};

export function testMemberOptions(
  disk: FaultDisk,
  clock: SimClock,
  extra: Partial<MemberOptions> = {},
): MemberOptions {
  return {
    disk,
    clock,
    random: { uint32: () => 7, fill: (buffer) => buffer.fill(7) },
    newDigest: testDigest,
    logger: new RecordingLogger(),
    name: "one",
    dataDirectory: "/data",
    walDirectory: "/data/member/wal",
    walSegmentBytes: 64 * 1024,
    initialPeerUrls: ["http://localhost:2380"],
    initialCluster: "one=http://localhost:2380",
    initialClusterState: "new",
    clusterToken: "token",
    pageCacheBytes: 1 << 20,
    onDiskFailure: (error: DiskError) => {
      throw error;
    },
    clientUrls: ["http://localhost:2379"],
    electionTimeoutMs: 1000,
    transport: new NoPeers(),
    onRemoved: () => {},
    heartbeatIntervalMs: 100,
    preVote: true,
    readMode: "safe",
    clockDriftMax: 0.1,
    electionTickAdvance: true,
    strictReconfigCheck: true,
    learnersMax: 1,
    requestBytesMax: 1 << 20,
    txnOperationsMax: 128,
    quotaBytes: Number.POSITIVE_INFINITY,
    batchIntervalMs: 100,
    batchWritesMax: 10_000,
    entriesPerSnapshot: 10_000,
    catchupEntries: 5000,
    progressIntervalMs: 600_000,
    retention: { mode: "off" },
    leaseCheckpoints: false,
    corruptionChecks: { initial: false, periodMs: 0, compactionPeriodMs: 0 },
    features: [],
    slowApplyMs: 100,
    ...extra,
  };
}

/** A disk with a data directory, and time that only moves when it is told to. */
export function newWorld(): { disk: FaultDisk; clock: SimClock } {
  const disk = new FaultDisk();
  disk.makeDirectory("/data");
  return { disk, clock: new SimClock() };
}

/** Runs everything that is due within `ms`, at its time. */
export function pass(clock: SimClock, ms: number): void {
  const until = clock.monotonicMs() + ms;
  while (clock.runNext(until));
}
