/**
 * /metrics, in the text format that every version of Prometheus reads: the families of etcd that have a meaning
 * for this member, under etcd's names and labels, so that its dashboards and alerts work unchanged.
 */
import type { MemberInstruments, MetricsSource } from "../api/index.ts";
import { MetricsRegistry } from "../base/metrics.ts";
import { addGrpcFamilies, type CallDurations, type GrpcCallCounts } from "./metrics-grpc.ts";
import { addProbeFamilies, type ProbeCounters } from "./metrics-health.ts";
import { addInstrumentFamilies } from "./metrics-instruments.ts";
import { addMemberFamilies } from "./metrics-member.ts";
import { addPeerFamilies } from "./metrics-peers.ts";

export interface MetricsOptions {
  readonly source: MetricsSource;
  readonly instruments: MemberInstruments;
  readonly calls: GrpcCallCounts;
  /** null without --metrics extensive. */
  readonly durations: CallDurations | null;
  readonly probes: ProbeCounters;
}

/** What renders the page. */
export function createMetricsRenderer(options: MetricsOptions): () => string {
  const registry = new MetricsRegistry();
  const refresh = addMemberFamilies(registry, options.source);
  const refreshPeers = addPeerFamilies(registry, options.source);
  addInstrumentFamilies(registry, options.instruments);
  addGrpcFamilies(registry, options.calls, options.durations);
  addProbeFamilies(registry, options.probes);
  return () => {
    refresh();
    refreshPeers();
    return registry.render();
  };
}

export function metricsPage(text: string): Response {
  return new Response(text, {
    headers: { "Content-Type": "text/plain; version=0.0.4; charset=utf-8; escaping=underscores" },
  });
}
