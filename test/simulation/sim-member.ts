/**
 * A place where a member runs: a process, a disk, and the real Member while it is up. It is started, stopped
 * in good order, killed, loses its power, is stopped and goes on, and may begin anew with an empty disk.
 */
import { newBunDigest } from "../../src/io/bun/index.ts";
import { silentLogger } from "../../src/io/index.ts";
import type { MemberOptions, RemoteCluster } from "../../src/server/index.ts";
import { Member, StartProblem } from "../../src/server/index.ts";
import type { MemberOracles } from "./member-oracles.ts";
import { SimDisk } from "./sim-disk.ts";
import type { SimNetwork } from "./sim-network.ts";
import { type ProcessEnd, ProcessExit, SimProcess } from "./sim-process.ts";
import { SimTransport } from "./sim-transport.ts";
import type { SimWorld } from "./sim-world.ts";

/** What all members of a run have in common; drawn from the seed. */
type CorruptionChecks = MemberOptions["corruptionChecks"];

export interface MemberSettings {
  readonly electionTimeoutMs: number;
  readonly heartbeatIntervalMs: number;
  readonly readMode: "safe" | "lease";
  readonly clockDriftMax: number;
  readonly preVote: boolean;
  readonly batchIntervalMs: number;
  readonly batchWritesMax: number;
  readonly entriesPerSnapshot: number;
  readonly catchupEntries: number;
  readonly walSegmentBytes: number;
  readonly progressIntervalMs: number;
  readonly quotaBytes: number;
  readonly strictReconfigCheck: boolean;
  readonly corruptionChecks: CorruptionChecks;
}

export interface SimMemberParts {
  readonly world: SimWorld;
  readonly network: SimNetwork;
  readonly settings: MemberSettings;
  readonly oracles: MemberOracles;
  /** The program ended by itself. */
  readonly onEnd: (member: SimMember, end: ProcessEnd) => void;
}

export type Beginning =
  | { readonly kind: "new"; readonly initialCluster: string }
  | { readonly kind: "join"; readonly initialCluster: string; readonly remote: RemoteCluster };

const REMOVED_GRACE_ELECTIONS = 4;

export class SimMember {
  readonly name: string;
  readonly process: SimProcess;
  disk: SimDisk;
  member: Member | null = null;
  /** 0n before the first start. */
  memberId = 0n;
  /** All ids that ran here. */
  readonly pastIds = new Set<bigint>();
  isReady = false;
  /** Calls that end when the listeners close. */
  readonly openCalls = new Set<{ abort(): void }>();
  /** Its power goes a few operations after it next sweeps a compaction, or takes a snapshot. */
  readonly crashNext = { sweep: false, snapshot: false };
  /** It refused to start, or was removed: it is not started again with this disk. */
  isRetired = false;
  isRemoved = false;
  /** Its disk holds damage that the member must find. */
  isRotten = false;
  starts = 0;
  beginning: Beginning;
  #transport: SimTransport | null = null;
  #stopping: Member | null = null;
  #isClosed = false;
  readonly #parts: SimMemberParts;

  constructor(name: string, beginning: Beginning, parts: SimMemberParts) {
    this.name = name;
    this.beginning = beginning;
    this.#parts = parts;
    this.process = new SimProcess(parts.world, name);
    this.process.onEnd = (end) => this.#ended(end);
    this.disk = this.#newDisk();
  }

  get peerUrl(): string {
    return `http://${this.name}.test:2380`;
  }

  get isUp(): boolean {
    return this.member !== null;
  }

  get isRunning(): boolean {
    return this.isUp && !this.process.isPaused;
  }

  /** Null while it serves nobody. A stopped process takes calls too: they wait. */
  get services() {
    return this.#isClosed ? null : (this.member?.services ?? null);
  }

  /** Starts the program on what the disk holds. */
  start(): void {
    if (this.isUp || this.isRetired) return;
    this.starts++;
    this.#parts.world.note(`start ${this.name}`);
    this.process.enter(() => this.#start());
  }

  /** Ends in good order, leadership handed over first. */
  stop(done: () => void = () => {}): void {
    const { member } = this;
    if (member === null || this.#stopping === member) return;
    this.#stopping = member;
    this.#parts.world.note(`stop ${this.name}`);
    this.process.input(0, () => {
      if (this.member !== member) return;
      member.handOver(() => {
        if (this.member !== member) return;
        // The listeners close before the member does.
        this.#isClosed = true;
        for (const call of this.openCalls) call.abort();
        this.openCalls.clear();
        member.stop(() => {
          this.#parts.world.note(`stopped ${this.name}`);
          this.#down();
          this.disk.kill();
          done();
        });
      });
    });
  }

  /** kill -9: files stay as they are, what was not synced is only in memory. */
  kill(): void {
    if (!this.isUp) return;
    this.#parts.world.note(`kill ${this.name}`);
    this.#down();
    this.disk.kill();
  }

  /** The power goes: what was not synced may be lost or torn. Also where the program ended before. */
  losePower(seed: number): void {
    this.#parts.world.note(`power ${this.name}`);
    if (this.isUp) this.#down();
    this.disk.crash(seed);
  }

  pause(): void {
    this.#parts.world.note(`pause ${this.name}`);
    this.process.pause();
  }

  resume(): void {
    this.#parts.world.note(`resume ${this.name}`);
    this.process.resume();
  }

  /** A new member on the same machine: nothing of the old one is left. */
  wipe(beginning: Beginning): void {
    if (this.isUp) this.#down();
    this.#parts.world.note(`wipe ${this.name}`);
    this.disk = this.#newDisk();
    this.beginning = beginning;
    this.isRetired = false;
    this.isRemoved = false;
    this.isRotten = false;
    this.memberId = 0n;
  }

  #newDisk(): SimDisk {
    const disk = new SimDisk(this.process);
    disk.makeDirectory("/data");
    disk.syncDirectory("/");
    return disk;
  }

  #start(): void {
    const { settings, network, oracles, world } = this.#parts;
    const { process } = this;
    const transport = new SimTransport(process, network, oracles);
    let member: Member;
    try {
      member = new Member({
        ...settings,
        ...this.#identity(),
        disk: this.disk,
        clock: process,
        random: process.random(),
        newDigest: newBunDigest,
        logger: silentLogger,
        transport,
        pageCacheBytes: 1 << 20,
        onDiskFailure: (error) => {
          throw new ProcessExit(`disk ${error.code}: ${error.message}`);
        },
        onRemoved: () => this.#endRemoved(),
        electionTickAdvance: true,
        learnersMax: 1,
        requestBytesMax: 1 << 20,
        txnOperationsMax: 128,
        retention: { mode: "off" },
        leaseCheckpoints: true,
        features: [],
        slowApplyMs: 100,
      });
    } catch (error) {
      if (error instanceof StartProblem) throw new ProcessExit(`refused: ${error.message}`);
      throw error;
    }
    this.member = member;
    this.memberId = member.memberId;
    this.pastIds.add(member.memberId);
    this.#transport = transport;
    transport.memberId = member.memberId;
    transport.leaseSettings = settings;
    oracles.watch(this.name, member);
    const { store } = member.state;
    const sweep = store.compactionStep.bind(store);
    store.compactionStep = (rowsMax) => {
      this.#crashSoon("sweep");
      return sweep(rowsMax);
    };
    transport.onSnapshotTaken = () => this.#crashSoon("snapshot");
    this.isReady = false;
    const ready = () => {
      this.isReady = true;
      world.note(`ready ${this.name}`);
    };
    member.start(ready, (problem) => {
      throw new ProcessExit(`refused: ${problem.message}`);
    });
  }

  /** As the program does: it goes on for a moment, because nobody else may know yet that the removal is committed. */
  #endRemoved(): void {
    this.isRemoved = true;
    this.isRetired = true;
    const { electionTimeoutMs } = this.#parts.settings;
    this.process.setTimer(REMOVED_GRACE_ELECTIONS * electionTimeoutMs, () => {
      throw new ProcessExit("removed");
    });
  }

  #crashSoon(after: "sweep" | "snapshot"): void {
    if (!this.crashNext[after]) return;
    this.crashNext[after] = false;
    const { disk } = this;
    const operations = this.#parts.world.random(`crash ${this.name}`).below(30);
    disk.crashAfter = Math.min(disk.crashAfter, disk.operationCount + operations);
  }

  #identity() {
    const { name, beginning } = this;
    return {
      name,
      dataDirectory: "/data",
      walDirectory: "/data/member/wal",
      initialPeerUrls: [this.peerUrl],
      initialCluster: beginning.initialCluster,
      initialClusterState: beginning.kind === "new" ? ("new" as const) : ("existing" as const),
      clusterToken: "token",
      ...(beginning.kind === "join" ? { remoteCluster: beginning.remote } : {}),
      clientUrls: [`http://${name}.test:2379`],
    };
  }

  #down(): void {
    this.process.end();
    this.#isClosed = false;
    this.openCalls.clear();
    this.#transport?.stop();
    this.#transport = null;
    this.member = null;
    this.isReady = false;
  }

  #ended(end: ProcessEnd): void {
    this.#down();
    this.#parts.onEnd(this, end);
  }
}
