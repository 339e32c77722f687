/**
 * One run: a cluster, clients and watchers, faults for a while; then everything is healed, the members must agree
 * in bounded time, and all that was seen is judged. A run is a function of its seed.
 */
import { enableVerify } from "../../src/base/assert.ts";
import { checkStore } from "./checkers/check-store.ts";
import { SameState } from "./checkers/same-state.ts";
import type { Violation } from "./checkers/violations.ts";
import { checkWatch } from "./checkers/watch-checks.ts";
import { ClientCall } from "./client-call.ts";
import { LeaseOracle } from "./lease-oracle.ts";
import { MemberOracles } from "./member-oracles.ts";
import { Recorder } from "./recorder.ts";
import { RequestMaker } from "./request-maker.ts";
import { SimClient } from "./sim-clients.ts";
import { SimCluster } from "./sim-cluster.ts";
import { SimFaults } from "./sim-faults.ts";
import type { MemberSettings } from "./sim-member.ts";
import { GOOD_LINK, SimNetwork } from "./sim-network.ts";
import { SimOperator } from "./sim-operator.ts";
import { type FaultKind, type Profile, profileOf } from "./sim-profile.ts";
import { SimWatcher } from "./sim-watcher.ts";
import { SimWorld } from "./sim-world.ts";
import { rowsFingerprint, stateFingerprint } from "./state-fingerprint.ts";
import { callMember, responseOf } from "./wire.ts";

export interface RunOptions {
  readonly seed: number;
  /** Instead of the one that the seed draws. */
  readonly focus?: string;
  readonly traceSink?: (line: string) => void;
  readonly durationMs?: number;
  readonly settings?: Partial<MemberSettings>;
}

export interface RunResult {
  readonly seed: number;
  readonly profile: Profile;
  readonly violations: readonly Violation[];
  readonly virtualMs: number;
  readonly events: number;
  readonly traceHash: string;
  readonly lastLines: readonly string[];
  readonly faults: ReadonlyMap<FaultKind, number>;
  readonly ends: ReadonlyMap<string, number>;
  readonly requests: { readonly ok: number; readonly failed: number; readonly unknown: number };
  readonly watchResponses: number;
  readonly snapshots: number;
}

/** Everything must be in agreement so soon after the last fault. */
const AGREEMENT_MS_MAX = 90_000;
const LOOK_MS = 170;
const WATCHED_MS_MAX = 20_000;
/** The longest time to live, once again for a new leader, and the leader's scans. */
const EXPIRY_MS_MAX = 20_000;
const CLIENT_TIMEOUT_MS = 9000;
const STEPS_MAX = 400_000;
const TRACE_LINES = 400;

export function runSeed(options: RunOptions): RunResult {
  return new SimRun(options).run();
}

class SimRun {
  readonly #world: SimWorld;
  readonly #profile: Profile;
  readonly #recorder = new Recorder();
  readonly #network: SimNetwork;
  readonly #cluster: SimCluster;
  readonly #faults: SimFaults;
  readonly #operator: SimOperator;
  readonly #maker: RequestMaker;
  readonly #leases: LeaseOracle;
  readonly #oracles: MemberOracles;
  readonly #clients: SimClient[] = [];
  readonly #watchers: SimWatcher[] = [];

  constructor({ seed, focus, traceSink, durationMs, settings: wanted }: RunOptions) {
    enableVerify(true);
    const drawn = profileOf(seed, focus);
    const profile: Profile = {
      ...drawn,
      durationMs: durationMs ?? drawn.durationMs,
      settings: { ...drawn.settings, ...wanted },
    };
    this.#profile = profile;
    this.#world = new SimWorld(seed, traceSink ?? null);
    const world = this.#world;
    const recorder = this.#recorder;
    world.note(`profile ${JSON.stringify(profile)}`);
    this.#network = new SimNetwork(world);
    this.#network.quality = profile.quality;
    this.#maker = new RequestMaker(profile.mix, profile.keys);
    this.#leases = new LeaseOracle(world, recorder, {
      // Where no clock drifts, a second is a second.
      clockDriftMax: profile.faults.drift === undefined ? 0 : profile.settings.clockDriftMax,
      ttlSecondsMax: profile.leaseSecondsMax,
      onGone: (lease) => this.#maker.forget(lease),
    });
    const oracles = new MemberOracles(world, recorder, this.#leases);
    this.#oracles = oracles;
    const { settings } = profile;
    const network = this.#network;
    this.#cluster = new SimCluster({ world, network, settings, oracles, recorder }, profile.size);
    const cluster = this.#cluster;
    for (const { disk } of cluster.members) disk.syncMsMax = profile.syncMsMax;
    this.#faults = new SimFaults({ world, cluster, network, profile });
    this.#operator = new SimOperator({ world, cluster, recorder });
  }

  run(): RunResult {
    this.#begin();
    const { durationMs } = this.#profile;
    const recorder = this.#recorder;
    const isBroken = () => recorder.violations.length > 0;
    this.#world.runUntil(durationMs, isBroken);
    if (!isBroken()) this.#settle();
    if (!isBroken()) this.#restartAll();
    if (!isBroken()) this.#judge();
    return this.#result();
  }

  #begin(): void {
    const world = this.#world;
    const cluster = this.#cluster;
    const recorder = this.#recorder;
    const profile = this.#profile;
    cluster.start();
    const maker = this.#maker;
    const leases = this.#leases;
    for (let i = 0; i < profile.clients; i++) {
      const options = {
        thinkMsMean: profile.thinkMsMean,
        timeoutMs: CLIENT_TIMEOUT_MS,
        loyalty: 0.8,
      };
      const client = new SimClient({ world, cluster, recorder, leases, maker }, options, `c${i}`);
      this.#clients.push(client);
      client.start();
    }
    for (let i = 0; i < profile.watchers; i++) {
      const random = world.random(`watcher kind ${i}`);
      const range = random.chance(0.7)
        ? { key: "k", rangeEnd: "l" }
        : { key: "k00", rangeEnd: "k03" };
      const options = {
        stallMsMax: profile.watcherStallMsMax,
        progress: random.chance(0.6),
        previous: random.chance(0.5),
        leaveChance: 0.02,
        compactRevision: () => maker.compactRevision,
      };
      const watcher = new SimWatcher({ world, cluster, recorder }, `w${i}`, range, options);
      this.#watchers.push(watcher);
      world.after(300, () => watcher.start(random.chance(0.5) ? 1 : 0));
    }
    world.after(500, () => this.#faults.start());
    this.#lookOn();
    this.#operator.start();
  }

  #lookOn(): void {
    this.#world.after(LOOK_MS, () => {
      for (const { name, member } of this.#cluster.members) {
        if (member !== null) this.#oracles.look(name, member);
      }
      this.#lookOn();
    });
  }

  /** No more faults: all members must come to the same state. */
  #settle(): void {
    this.#world.note("settle");
    this.#faults.stop();
    this.#network.heal(GOOD_LINK);
    for (const client of this.#clients) client.stop();
    for (const member of this.#cluster.members) {
      member.disk.capacityBytes = Number.POSITIVE_INFINITY;
      member.disk.crashAfter = Number.POSITIVE_INFINITY;
      member.disk.stall(0);
      if (member.process.isPaused) member.resume();
      if (!member.isUp) this.#cluster.restartLater(member);
    }
    // What clients still wait for is over by then.
    this.#world.runUntil(this.#world.nowMs + CLIENT_TIMEOUT_MS + 1000, () => this.#isBroken());
    this.#agree("after the faults");
  }

  #isBroken(): boolean {
    return this.#recorder.violations.length > 0;
  }

  #agree(when: string): void {
    const untilMs = this.#world.nowMs + AGREEMENT_MS_MAX;
    const cluster = this.#cluster;
    // Looked at now and then: it costs more than an event.
    let disagreement: string | null = "nothing was looked at";
    while (disagreement !== null && this.#world.nowMs < untilMs && !this.#isBroken()) {
      this.#world.runUntil(this.#world.nowMs + 200, () => this.#isBroken());
      disagreement = cluster.disagreement();
      if (disagreement !== null) this.#faults.repair();
    }
    if (this.#isBroken()) return;
    if (disagreement !== null) {
      const message = `no agreement ${when} in ${AGREEMENT_MS_MAX} ms: ${disagreement}`;
      this.#recorder.report({ rule: "liveness", message });
      return;
    }
    this.#compare(when);
  }

  /** All members hold the same, down to the rows of their databases. */
  #compare(when: string): void {
    const states = new SameState("state");
    const rows = new SameState("rows");
    for (const { name, member, isRetired } of this.#cluster.members) {
      if (member === null || isRetired) continue;
      this.#recorder.report(states.observe(when, name, stateFingerprint(member)));
      this.#recorder.report(rows.observe(when, name, rowsFingerprint(member)));
    }
  }

  /** The power goes everywhere: what comes back is what was there; and every watcher sees the rest. */
  #restartAll(): void {
    const cluster = this.#cluster;
    const random = this.#world.random("restart all");
    for (const member of cluster.members) {
      if (member.isRetired) continue;
      member.losePower(random.below(2 ** 31));
      cluster.restartLater(member, random.below(500));
    }
    // Leases that end now are taken for changes: nothing else may differ.
    this.#world.runUntil(this.#world.nowMs + 600, () => this.#isBroken());
    this.#agree("after the power failed everywhere");
    this.#operator.stop();
    if (!this.#isBroken()) this.#lastWrite();
    if (!this.#isBroken()) this.#awaitExpiries();
    for (const watcher of this.#watchers) watcher.stop();
  }

  /** One more write, which every watcher must come to see: so it has seen all before. */
  #lastWrite(): void {
    const world = this.#world;
    const recorder = this.#recorder;
    const request = { kind: "put", key: "k00", value: "the last", lease: 0n } as const;
    const calledMs = world.nowMs;
    let revision = 0;
    const leader = this.#cluster.leader()!;
    // Without room nothing can be written.
    if (leader.member!.state.alarms.list().length > 0) return;
    const call = new ClientCall((response, error) => {
      if (error !== null) {
        recorder.report({ rule: "liveness", message: `the last write: ${error.message}` });
        return;
      }
      const output = responseOf(request, response!);
      recorder.record(recorder.newClient(), request, calledMs, {
        kind: "ok",
        output,
        returnTime: world.nowMs,
      });
      revision = "revision" in output ? output.revision : 0;
    });
    leader.process.input(1, () => callMember(leader.services!, request, 0, call as never));
    for (const watcher of this.#watchers) watcher.hurry();
    const isSeen = () => this.#watchers.every((each) => revision > 0 && each.isThrough(revision));
    world.runUntil(world.nowMs + WATCHED_MS_MAX, () => this.#isBroken() || isSeen());
    if (this.#isBroken() || isSeen()) return;
    const behind = this.#watchers.filter((each) => !each.isThrough(revision));
    const names = behind.map(({ name, seenRevision }) => `${name} saw ${seenRevision}`).join();
    const message = `the write at ${revision} was not seen in ${WATCHED_MS_MAX} ms: ${names}`;
    recorder.report({ rule: "watch-liveness", message });
  }

  /** Nobody renews any more: all leases end. */
  #awaitExpiries(): void {
    const world = this.#world;
    const expiryMs = EXPIRY_MS_MAX + 2000 * this.#profile.leaseSecondsMax;
    const leases = () => this.#cluster.leader()?.member?.state.lessor.count() ?? 1;
    world.runUntil(world.nowMs + expiryMs, () => this.#isBroken() || leases() === 0);
    if (this.#isBroken() || leases() === 0) return;
    const message = `${leases()} leases are still there after ${expiryMs} ms`;
    this.#recorder.report({ rule: "lease-late", message });
  }

  #judge(): void {
    const recorder = this.#recorder;
    const history = recorder.history();
    const compacted = Math.max(
      ...this.#cluster.members.map(({ member }) => member?.state.store.compactRevision() ?? -1),
    );
    for (const watch of recorder.watches) {
      for (const violation of checkWatch(watch, history, compacted)) recorder.report(violation);
    }
    const found = checkStore(recorder.entries, history, { stepsMax: STEPS_MAX });
    for (const violation of found) recorder.report(violation);
  }

  #result(): RunResult {
    const world = this.#world;
    const recorder = this.#recorder;
    let watchResponses = 0;
    for (const { responses } of recorder.watches) watchResponses += responses.length;
    return {
      seed: world.seed,
      profile: this.#profile,
      violations: recorder.violations,
      virtualMs: world.nowMs,
      events: world.eventCount,
      traceHash: world.trace.hash(),
      lastLines: world.trace.last(TRACE_LINES),
      faults: this.#faults.counts,
      ends: this.#cluster.ends,
      requests: recorder.outcomes,
      watchResponses,
      snapshots: this.#network.counts.snapshots,
    };
  }
}
