/**
 * Somebody who looks at the cluster while it works: hashes, snapshots, members, leases, status, of any member at any
 * time. Hashes must be equal where revision and compaction are; everything else must be answered, and not hurt.
 */
import { createHash } from "node:crypto";
import type { SnapshotResponseInit } from "../../src/api/index.ts";
import type { SeededRandom } from "../disk/seeded-random.ts";
import { SameState } from "./checkers/same-state.ts";
import { CLIENT_CONTEXT, ClientCall } from "./client-call.ts";
import type { Recorder } from "./recorder.ts";
import type { SimCluster } from "./sim-cluster.ts";
import type { SimMember } from "./sim-member.ts";
import type { SimWorld } from "./sim-world.ts";

const INTERVAL_MS_MEAN = 700;
const SHA256_BYTES = 32;
/** AlarmType.CORRUPT: nothing decays here that a comparison of members could see. */
const CORRUPT = 2;

export class SimOperator {
  readonly #world: SimWorld;
  readonly #cluster: SimCluster;
  readonly #recorder: Recorder;
  readonly #random: SeededRandom;
  readonly #hashes = new SameState("HashKV at revision/compacted");
  #isStopped = false;
  snapshots = 0;

  constructor(parts: { world: SimWorld; cluster: SimCluster; recorder: Recorder }) {
    this.#world = parts.world;
    this.#cluster = parts.cluster;
    this.#recorder = parts.recorder;
    this.#random = parts.world.random("operator");
  }

  start(): void {
    this.#world.after(this.#random.next() * 2 * INTERVAL_MS_MEAN, () => {
      if (this.#isStopped) return;
      const members = this.#cluster.serving();
      const member = members[this.#random.below(members.length)];
      if (member !== undefined) this.#look(member);
      this.start();
    });
  }

  stop(): void {
    this.#isStopped = true;
  }

  #look(member: SimMember): void {
    const kind = this.#random.below(7);
    const choice = this.#random.next();
    member.process.input(1, () => {
      const { services } = member;
      if (services === null) return;
      const { cluster, lease, maintenance } = services;
      const nobody = () => new ClientCall(() => {}) as never;
      this.#checkAlarms(member);
      if (kind <= 1) this.#hash(member, choice);
      else if (kind === 2) this.#snapshot(member);
      else if (kind === 3) maintenance.status({}, nobody());
      else if (kind === 4) cluster.memberList({ linearizable: choice < 0.5 }, nobody());
      else if (kind === 5) lease.leaseLeases({}, nobody());
      else lease.leaseTimeToLive({ ID: BigInt(1 + Math.floor(choice * 9)), keys: true }, nobody());
    });
  }

  #checkAlarms({ name, member }: SimMember): void {
    if (member?.state.alarms.isActive(CORRUPT) !== true) return;
    const message = `${name} has the alarm CORRUPT, but nothing decayed`;
    this.#recorder.report({ rule: "false-alarm", message });
  }

  #hash(asked: SimMember, choice: number): void {
    const { name, member, services } = asked;
    const newest = member!.state.store.revision();
    const revision = choice < 0.4 ? 0 : Math.max(1, newest - Math.floor((choice - 0.4) * 50));
    const call = new ClientCall((response) => {
      asked.openCalls.delete(call);
      if (response === null) return;
      const { hash, compact_revision, hash_revision } = response as Record<string, number>;
      this.#world.note(`hash ${name} ${hash_revision}/${compact_revision} ${hash}`);
      const at = `${hash_revision}/${compact_revision}`;
      this.#recorder.report(this.#hashes.observe(at, name, hash!));
    });
    asked.openCalls.add(call);
    services!.maintenance.hashKV({ revision }, call as never);
  }

  /** The stream must end with the sum of all that came before. */
  #snapshot(asked: SimMember): void {
    const { name, process, openCalls, services } = asked;
    const parts: Uint8Array[] = [];
    let drained = () => {};
    let onAbort = () => {};
    const call = {
      context: CLIENT_CONTEXT,
      aborted: false,
      queuedBytes: 0,
      send: (response: SnapshotResponseInit) => {
        if (response.blob !== undefined) parts.push(response.blob.slice());
        process.input(1, () => drained());
        return false;
      },
      sendEncoded: () => true,
      end: () => {
        openCalls.delete(call);
        this.#checkSnapshot(name, parts);
      },
      fail: () => {
        openCalls.delete(call);
      },
      onDrain: (listener: () => void) => {
        drained = listener;
      },
      onAbort: (listener: () => void) => {
        onAbort = listener;
      },
      abort: () => {
        call.aborted = true;
        onAbort();
      },
    };
    openCalls.add(call);
    services!.maintenance.snapshot({}, call);
  }

  #checkSnapshot(name: string, parts: readonly Uint8Array[]): void {
    this.snapshots++;
    const bytes = Buffer.concat(parts);
    const content = bytes.subarray(0, bytes.length - SHA256_BYTES);
    const sum = createHash("sha256").update(content).digest();
    this.#world.note(`snapshot of ${name}: ${content.length} bytes`);
    if (sum.equals(bytes.subarray(content.length))) return;
    const message = `a snapshot of ${name} (${content.length} bytes) does not match its sum`;
    this.#recorder.report({ rule: "snapshot", message });
  }
}
