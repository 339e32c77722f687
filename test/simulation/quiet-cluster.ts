/** A cluster without clients or faults, for stories that are told step by step. */
import { LeaseOracle } from "./lease-oracle.ts";
import { MemberOracles } from "./member-oracles.ts";
import { Recorder } from "./recorder.ts";
import { SimCluster } from "./sim-cluster.ts";
import type { MemberSettings } from "./sim-member.ts";
import { SimNetwork } from "./sim-network.ts";
import { profileOf } from "./sim-profile.ts";
import { SimWorld } from "./sim-world.ts";

export class QuietCluster {
  readonly world: SimWorld;
  readonly network: SimNetwork;
  readonly recorder = new Recorder();
  readonly cluster: SimCluster;

  constructor(size: number, wanted: Partial<MemberSettings> = {}, seed = 1) {
    const world = new SimWorld(seed);
    const { recorder } = this;
    const settings = { ...profileOf(seed, "calm").settings, ...wanted };
    const { clockDriftMax } = settings;
    const onGone = () => {};
    const leases = new LeaseOracle(world, recorder, { clockDriftMax, ttlSecondsMax: 5, onGone });
    const oracles = new MemberOracles(world, recorder, leases);
    this.world = world;
    this.network = new SimNetwork(world);
    const { network } = this;
    this.cluster = new SimCluster({ world, network, settings, oracles, recorder }, size);
  }

  /** Lets time go on until the condition holds; throws when it does not within `ms`, or something broke. */
  until(what: string, condition: () => boolean, ms = 20_000): void {
    const endMs = this.world.nowMs + ms;
    const isDone = () => this.recorder.violations.length > 0 || condition();
    this.world.runUntil(endMs, isDone);
    const [violation] = this.recorder.violations;
    if (violation !== undefined) throw new Error(`${violation.rule}: ${violation.message}`);
    if (!condition()) throw new Error(`${what}: not within ${ms} ms`);
  }

  /** Nothing is asked of anybody meanwhile. */
  rest(ms: number): void {
    this.world.runUntil(this.world.nowMs + ms);
  }

  start(): void {
    this.cluster.start();
    this.until("all are ready", () => this.cluster.members.every(({ isReady }) => isReady));
  }
}
