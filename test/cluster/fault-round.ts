// One round: a new cluster, load and watchers on it, faults one after another, then the cluster is made whole and
// everything is checked. A seed decides load and faults (not the timing: these are real processes).

import { method } from "../differential/grpc-client.ts";
import { SeededRandom } from "../disk/seeded-random.ts";
import type { MemberKind } from "../reference-etcd.ts";
import type { KvEntry } from "../simulation/checkers/kv-model.ts";
import type { Violation } from "../simulation/checkers/violations.ts";
import { checkFiles, checkHistory, checkSameState } from "./cluster-checks.ts";
import { ClusterProcesses } from "./cluster-processes.ts";
import {
  type FaultContext,
  type FaultName,
  faultNames,
  faults,
  needsSmallDisks,
  recover,
} from "./faults.ts";
import { currentRevision, HistoryReader } from "./history-reader.ts";
import { RecordedLoad } from "./recorded-load.ts";
import { RecordedWatcher } from "./recorded-watch.ts";

export interface RoundOptions {
  readonly command: readonly string[];
  readonly seed: number;
  /** These, or random ones until the time is over. */
  readonly faults: readonly FaultName[] | { readonly seconds: number };
  readonly flags?: readonly string[];
  readonly size?: number;
  readonly electionMs?: number;
  readonly clients?: number;
  /** Mean pause of a client between two requests. */
  readonly pauseMs?: number;
  /** Written before the faults, so that snapshots take a while. */
  readonly preloadMegabytes?: number;
  readonly log?: (line: string) => void;
}

export interface RoundResult {
  readonly operations: number;
  readonly acknowledgedWrites: number;
  readonly unknown: number;
  readonly watchEvents: number;
  readonly lastRevision: number;
  readonly faults: ReadonlyMap<FaultName, number>;
  readonly errors: ReadonlyMap<string, number>;
  readonly violations: readonly Violation[];
  /** Where the members' files are, when something was wrong. */
  readonly kept: string | null;
}

const clientsByDefault = 8;
const watchers = 2;
const keys = 6;
const pauseMsByDefault = 25;

/** Snapshots often, and little of the log kept behind them, so that followers that were away need one. */
export function snapshotFlags(kind: MemberKind): string[] {
  const catchUp =
    kind === "etcd" ? "--experimental-snapshot-catchup-entries" : "--snapshot-catchup-entries";
  return ["--snapshot-count=100", `${catchUp}=20`];
}

export async function faultRound(options: RoundOptions): Promise<RoundResult> {
  const { electionMs = 500 } = options;
  const random = new SeededRandom(options.seed);
  const cluster = await ClusterProcesses.start({
    command: options.command,
    size: options.size ?? 3,
    proxied: true,
    heartbeatMs: electionMs / 10,
    electionMs,
    flags: options.flags,
    smallDisks: fillsDisks(options.faults) || random.chance(0.2),
  });
  const round = new FaultRound(options, cluster, random);
  let result: RoundResult | null = null;
  try {
    result = await round.run();
  } finally {
    await cluster.remove(result === null || result.violations.length > 0);
  }
  return result;
}

function fillsDisks(asked: RoundOptions["faults"]): boolean {
  return "seconds" in asked ? false : asked.some(needsSmallDisks);
}

class FaultRound {
  readonly #options: RoundOptions;
  readonly #cluster: ClusterProcesses;
  readonly #random: SeededRandom;
  readonly #violations: Violation[] = [];
  readonly #done = new Map<FaultName, number>();
  readonly #reader = new HistoryReader();
  readonly #compactions: KvEntry[] = [];
  #compactedRevision = -1;

  constructor(options: RoundOptions, cluster: ClusterProcesses, random: SeededRandom) {
    this.#options = options;
    this.#cluster = cluster;
    this.#random = random;
  }

  async run(): Promise<RoundResult> {
    const { seed, clients = clientsByDefault, pauseMs = pauseMsByDefault } = this.#options;
    const cluster = this.#cluster;
    const endpoints = () => cluster.members.map(({ endpoint }) => endpoint);
    const load = new RecordedLoad({ endpoints, clients, seed, pauseMs, keys });
    const seenBy = Array.from(
      { length: watchers },
      (_, at) => new RecordedWatcher(`w${at}`, endpoints, seed * 100 + at),
    );
    await load.preload(this.#options.preloadMegabytes ?? 0);
    load.start();
    for (const watcher of seenBy) watcher.start();
    try {
      await this.#inject();
      await recover(cluster);
    } catch (failure) {
      const message = failure instanceof Error ? failure.message : String(failure);
      this.#violations.push({ rule: "recovery", message });
    }
    await load.stop();
    if (this.#violations.some(({ rule }) => rule === "recovery")) {
      await Promise.all(seenBy.map((watcher) => watcher.stop(0, 0)));
      return this.#result(load, 0);
    }
    const last = await currentRevision(cluster.members[0]!.client);
    for (const watcher of seenBy) {
      if (await watcher.stop(last, 15_000)) continue;
      this.#violations.push({ rule: "watch", message: `a watcher did not reach ${last}` });
    }

    const watches = seenBy.flatMap((watcher) => watcher.watches);
    await this.#check({
      entries: [...load.entries, ...this.#compactions],
      watches,
      compactedRevision: this.#compactedRevision,
    });
    let events = 0;
    for (const { responses } of watches) {
      for (const each of responses) if (each.kind === "events") events += each.events.length;
    }
    return this.#result(load, events);
  }

  async #inject(): Promise<void> {
    const { faults: asked } = this.#options;
    if (!("seconds" in asked)) {
      for (const name of asked) await this.#fault(name);
      return;
    }
    const endMs = performance.now() + asked.seconds * 1000;
    const hasSmallDisks = this.#cluster.disks.size > 0;
    const possible = faultNames.filter((name) => hasSmallDisks || !needsSmallDisks(name));
    while (performance.now() < endMs) {
      await this.#fault(possible[this.#random.below(possible.length)]!);
      if (this.#random.chance(0.3)) await this.#compact();
    }
  }

  async #fault(name: FaultName): Promise<void> {
    await Bun.sleep(200 + this.#random.below(400));
    this.#options.log?.(name);
    const context: FaultContext = {
      cluster: this.#cluster,
      random: this.#random,
      violate: (rule, message) => this.#violations.push({ rule, message }),
    };
    try {
      await faults[name](context);
    } catch (failure) {
      throw new Error(`after "${name}": ${failure instanceof Error ? failure.message : failure}`);
    }
    this.#done.set(name, (this.#done.get(name) ?? 0) + 1);
  }

  /** Behind what has been read, and not much of it: laggards shall need snapshots for other reasons too. */
  async #compact(): Promise<void> {
    const member = this.#cluster.members[this.#random.below(this.#cluster.members.length)]!;
    await this.#reader.extend(member.client);
    const revision = this.#reader.lastRevision - this.#random.below(100);
    if (revision <= this.#compactedRevision || revision < 2) return;
    // What the reader misses at the end is gone: noted before it is known whether it happens.
    this.#compactedRevision = revision;
    this.#reader.compacted(revision);
    const callTime = performance.now();
    const outcome = await member.client.unary(method("KV", "Compact"), { revision });
    const returnTime = performance.now();
    const client = -1 - this.#compactions.length;
    const input = { kind: "compact", revision } as const;
    if ("ok" in outcome) {
      const header = (outcome.ok as { header: { revision: string } }).header;
      const output = { kind: "compact", revision: Number(header.revision) } as const;
      this.#compactions.push({
        client,
        input,
        callTime,
        outcome: { kind: "ok", output, returnTime },
      });
    } else this.#compactions.push({ client, input, callTime, outcome: { kind: "unknown" } });
  }

  async #check(seen: Parameters<typeof checkHistory>[2]): Promise<void> {
    const cluster = this.#cluster;
    this.#violations.push(...(await checkSameState(cluster)));
    await this.#reader.extend(cluster.members[0]!.client);
    this.#violations.push(...(await checkHistory(cluster, this.#reader, seen)));
    for (const member of cluster.members) {
      if (await member.terminate()) continue;
      this.#violations.push({ rule: "stop", message: `${member.name} did not end on SIGTERM` });
    }
    this.#violations.push(...(await checkFiles(cluster)));
  }

  #result(load: RecordedLoad, watchEvents: number): RoundResult {
    return {
      operations: load.entries.length,
      acknowledgedWrites: load.acknowledgedWrites,
      unknown: load.entries.filter(({ outcome }) => outcome.kind === "unknown").length,
      watchEvents,
      lastRevision: this.#reader.lastRevision,
      faults: this.#done,
      errors: load.errors,
      violations: this.#violations,
      kept: this.#violations.length > 0 ? this.#cluster.directory : null,
    };
  }
}
