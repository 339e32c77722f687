/** The files of a stopped member on a disk that can rot and lose power, and other members that answer as told. */
import { FaultDisk } from "../../../../../test/disk/fault-disk.ts";
import { SimClock } from "../../../../../test/simulation/sim-clock.ts";
import { utf8 } from "../../../../base/bytes.ts";
import { type Member, Membership } from "../../../../cluster/index.ts";
import { Database } from "../../../../database/index.ts";
import type { DiskFile } from "../../../../io/index.ts";
import { Store } from "../../../../mvcc/index.ts";
import { type HardState, WriteAheadLog } from "../../../../wal/index.ts";
import { memberPaths } from "../member-paths.ts";
import type { PeerStatus, RepairPeers } from "../peers.ts";
import { RepairProblem } from "../repair-problem.ts";
import type { RepairParts } from "../replace-database.ts";

export const CLUSTER = 0xc1n;
export const SELF = 0xa1n;
export const PATHS = memberPaths("/data", "");
export const SEGMENT_BYTES = 16 * 1024;

export function memberOf(id: bigint): Member {
  const peerUrls = [`http://127.0.0.1:${2380 + Number(id & 0xfn)}`];
  return { id, name: `m${id & 0xfn}`, peerUrls, clientUrls: [], isLearner: false };
}

const MEMBERS = [memberOf(SELF), memberOf(0xa2n), memberOf(0xa3n)];

export interface DatabaseContent {
  readonly index: number;
  readonly term: number;
  readonly members?: readonly Member[];
  readonly removed?: readonly bigint[];
}

/** A database that holds one key for each entry. */
export function makeDatabase(disk: FaultDisk, path: string, content: DatabaseContent): void {
  const file = disk.open(path, { create: true });
  const onFailure = (error: Error) => {
    throw error;
  };
  const database = Database.open({ file, pageCacheBytes: 1 << 20, onFailure });
  const store = Store.open({ database, onChanges: () => {} });
  const membership = new Membership(database);
  for (const member of content.members ?? MEMBERS) membership.add(member);
  for (const id of content.removed ?? []) membership.remove(id);
  for (let i = 1; i <= content.index; i++) {
    const transaction = store.beginTransaction();
    transaction.put(utf8(`key-${i % 50}`), utf8(`value-${i}`.repeat(10)), 0n, false);
    transaction.end();
  }
  database.setConsistentIndex(content.index, content.term);
  database.commitNow();
  database.close();
}

/** Terms of the entries from index 1 on. */
export function makeLog(disk: FaultDisk, terms: readonly number[], hardState: HardState): void {
  const options = { disk, directory: PATHS.walDirectory, segmentBytes: SEGMENT_BYTES };
  const log = WriteAheadLog.create(options, { memberId: SELF, clusterId: CLUSTER });
  terms.forEach((term, i) => {
    const index = i + 1;
    const data = utf8(`entry ${index}`.repeat(20));
    const commit = Math.min(index, hardState.commit);
    log.append([{ term, index, kind: 0, data }], { ...hardState, commit });
    log.flush(() => {});
  });
  log.close();
}

export class FakePeers implements RepairPeers {
  readonly disk: FaultDisk;
  memberList: Member[] = [...MEMBERS];
  statusList: PeerStatus[] = [statusOf(0xa2n, 40), statusOf(0xa3n, 60)];
  /** What members send, by endpoint. */
  readonly images = new Map<string, Uint8Array>();
  readonly calls: string[] = [];
  nextId = 0xb1n;

  constructor(disk: FaultDisk) {
    this.disk = disk;
  }

  /** Makes the image that an endpoint sends. */
  serve(endpoint: string, content: DatabaseContent): void {
    const elsewhere = new FaultDisk();
    makeDatabase(elsewhere, "/db", content);
    this.images.set(endpoint, elsewhere.contents("/db"));
  }

  async statuses(): Promise<PeerStatus[]> {
    return this.statusList;
  }

  async members(): Promise<Member[]> {
    return [...this.memberList];
  }

  async remove(memberId: bigint): Promise<void> {
    this.calls.push(`remove ${memberId.toString(16)}`);
    this.memberList = this.memberList.filter(({ id }) => id !== memberId);
  }

  async add(peerUrls: readonly string[], isLearner: boolean): Promise<bigint> {
    const id = this.nextId++;
    this.calls.push(`add ${id.toString(16)} ${peerUrls.join()}`);
    this.memberList.push({ id, name: "", peerUrls, clientUrls: [], isLearner });
    return id;
  }

  async fetchDatabase(endpoint: string, file: DiskFile): Promise<void> {
    this.calls.push(`fetch ${endpoint}`);
    const image = this.images.get(endpoint);
    if (image === undefined) throw new RepairProblem("failed to fetch a snapshot: it broke");
    file.writeAt(image, 0, image.length, 0);
  }
}

export function statusOf(memberId: bigint, appliedIndex: number): PeerStatus {
  return {
    endpoint: `e${memberId & 0xfn}`,
    ...{ memberId, appliedIndex },
    clusterId: CLUSTER,
    isLearner: false,
    hasLeader: true,
    corrupt: [],
  };
}

export class RepairBench {
  readonly disk = new FaultDisk();
  readonly peers = new FakePeers(this.disk);
  readonly lines: string[] = [];
  readonly parts: RepairParts = {
    ...{ disk: this.disk, clock: new SimClock(), paths: PATHS, peers: this.peers },
    say: (line) => this.lines.push(line),
    walSegmentBytes: SEGMENT_BYTES,
  };

  constructor() {
    this.disk.makeDirectory(PATHS.snapshotDirectory);
    this.syncAll();
  }

  /** A member with 50 entries of term 3, the last 5 not applied yet. */
  static whole(): RepairBench {
    const bench = new RepairBench();
    const terms = Array.from({ length: 50 }, () => 3);
    makeLog(bench.disk, terms, { term: 4, vote: 0xa2n, commit: 48 });
    makeDatabase(bench.disk, PATHS.databasePath, { index: 45, term: 3 });
    bench.syncAll();
    return bench;
  }

  syncAll(): void {
    for (const directory of ["/", PATHS.dataDirectory, PATHS.memberDirectory]) {
      this.disk.syncDirectory(directory);
    }
    this.disk.syncDirectory(PATHS.snapshotDirectory);
  }

  /** Every page but the first ones, so that both metas stay. */
  rotDatabase(): void {
    const size = this.disk.contents(PATHS.databasePath).length;
    for (let position = 4096 * 2; position < size; position += 512) {
      this.disk.rot(PATHS.databasePath, position, 0xff);
    }
  }

  /** A byte of an entry in the middle of the first segment. */
  rotLog(position = 4000): void {
    const [first] = this.disk.list(PATHS.walDirectory);
    this.disk.rot(`${PATHS.walDirectory}/${first}`, position, 0xff);
  }
}
