/** What probes have said so far. */
import { Counter, Gauge, Labelled, type MetricsRegistry } from "../base/metrics.ts";
import type { HealthCounters } from "./health.ts";
import { addLabelled } from "./metrics-instruments.ts";

export class ProbeCounters implements HealthCounters {
  readonly healthy = new Counter();
  readonly unhealthy = new Counter();
  /** By probe and check. */
  readonly lastChecks = new Labelled(() => new Gauge());
  /** By check, status ("success", "error") and probe. */
  readonly checks = new Labelled(() => new Counter());

  health(healthy: boolean): void {
    (healthy ? this.healthy : this.unhealthy).increment();
  }

  check(probe: string, name: string, healthy: boolean): void {
    this.lastChecks.with(name, probe).set(healthy ? 1 : 0);
    this.checks.with(name, healthy ? "success" : "error", probe).increment();
  }
}

export function addProbeFamilies(registry: MetricsRegistry, counters: ProbeCounters): void {
  const add = (name: string, help: string, counter: Counter): void =>
    registry.add({
      name,
      kind: "counter",
      help,
      labelNames: [],
      collect: () => [{ labels: [], value: counter.value }],
    });
  add("etcd_server_health_success", "Times /health said true.", counters.healthy);
  add("etcd_server_health_failures", "Times /health said false.", counters.unhealthy);
  addLabelled(
    registry,
    ["etcd_server_healthcheck", "gauge", "How the last check of each kind ended, 1 is well."],
    ["name", "type"],
    counters.lastChecks,
  );
  addLabelled(
    registry,
    ["etcd_server_healthchecks_total", "counter", "Checks by how they ended."],
    ["name", "status", "type"],
    counters.checks,
  );
}
