/** Members that only compare their data: stores of their own, and a network that delivers questions or does not. */
import { SimClock } from "../../../test/simulation/sim-clock.ts";
import { utf8 } from "../../base/bytes.ts";
import { Alarms, Membership } from "../../cluster/index.ts";
import type { Database } from "../../database/index.ts";
import type { Store } from "../../mvcc/index.ts";
import type { PeerAnswer, PeerTransport } from "../../peer/index.ts";
import { Background } from "../background.ts";
import { CorruptionChecker, type CorruptionChecks } from "../corruption-checker.ts";
import { MemberHashes } from "../member-hashes.ts";
import { PeerRequests } from "../peer-requests.ts";
import { FakeRaft } from "./fake-raft.ts";
import {
  openTestDatabase,
  openTestStore,
  RecordingLogger,
  RecordingProposer,
} from "./stand-ins.ts";

export const NO_CHECKS: CorruptionChecks = { initial: false, periodMs: 0, compactionPeriodMs: 0 };

export class HashMember {
  readonly id: bigint;
  readonly database: Database;
  readonly store: Store;
  readonly alarms: Alarms;
  readonly raft: FakeRaft;
  readonly logger = new RecordingLogger();
  readonly proposer = new RecordingProposer();
  readonly requests = new PeerRequests();
  readonly background: Background;
  readonly hashes: MemberHashes;
  readonly checker: CorruptionChecker;
  isReachable = true;
  /** Runs before a linearizable read is answered. */
  beforeRead: () => void = () => {};

  constructor(cluster: HashCluster, id: bigint, ids: readonly bigint[], checks: CorruptionChecks) {
    const { clock } = cluster;
    this.id = id;
    this.database = openTestDatabase();
    this.store = openTestStore(this.database);
    this.alarms = new Alarms(this.database);
    const membership = new Membership(this.database);
    for (const each of ids) {
      membership.add({
        id: each,
        peerUrls: [],
        name: `m${each}`,
        clientUrls: [],
        isLearner: false,
      });
    }
    this.raft = new FakeRaft(id);
    this.raft.become(2, ids[0]!);
    this.background = new Background(clock);
    this.hashes = new MemberHashes({
      ...{ store: this.store, database: this.database, membership, clock, memberId: id },
      background: this.background,
      transport: cluster.transportOf(id),
      peerRequests: this.requests,
    });
    this.checker = new CorruptionChecker(
      {
        ...{ hashes: this.hashes, store: this.store, raft: this.raft, alarms: this.alarms, clock },
        ...{ proposer: this.proposer.asProposer, logger: this.logger, memberId: id },
        reads: {
          wait: (waiter) => {
            this.beforeRead();
            waiter(null);
          },
        },
      },
      checks,
    );
  }

  /** Members that a CORRUPT alarm was proposed for, in order. */
  accused(): unknown[] {
    return this.proposer.proposed.map(({ request }) => request.memberID);
  }

  logged(message: string): Record<string, unknown>[] {
    return this.logger.lines.filter((line) => line.message === message).map((line) => line.fields);
  }

  put(key: string, value: string): void {
    const transaction = this.store.beginTransaction();
    transaction.put(utf8(key), utf8(value), 0n, false);
    transaction.end();
  }

  compact(revision: number): void {
    this.store.scheduleCompaction(revision);
    this.sweep();
  }

  sweep(): void {
    while (this.store.isCompacting()) this.store.compactionStep(100);
  }
}

export class HashCluster {
  readonly clock = new SimClock();
  readonly members: HashMember[] = [];

  constructor(count: number, checks: CorruptionChecks = NO_CHECKS) {
    const ids = Array.from({ length: count }, (_, i) => BigInt(i + 1));
    for (const id of ids) this.members.push(new HashMember(this, id, ids, checks));
  }

  member(id: number): HashMember {
    return this.members[id - 1]!;
  }

  /** The same change on all. */
  putAll(key: string, value: string): void {
    for (const member of this.members) member.put(key, value);
  }

  compactAll(revision: number): void {
    for (const member of this.members) member.compact(revision);
  }

  transportOf(from: bigint): PeerTransport {
    const request = (
      to: bigint,
      name: string,
      body: Uint8Array,
      _timeoutMs: number,
      done: (answer: PeerAnswer | null) => void,
    ) => {
      const target = this.members.find(({ id }) => id === to)!;
      this.clock.setTimer(1, () => {
        if (!target.isReachable) done(null);
        else {
          target.requests.handle(from, name, body.slice(), (answer) =>
            this.clock.setTimer(1, () => done(answer)),
          );
        }
      });
    };
    return { request } as unknown as PeerTransport;
  }
}
