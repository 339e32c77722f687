/** What probes ask. */
import { AlarmType, type HealthService } from "../api/index.ts";
import { CAIRN_VERSION, ETCD_VERSION, STORAGE_VERSION } from "../base/version.ts";
import type { Alarms, Membership } from "../cluster/index.ts";
import type { RaftView } from "./raft-view.ts";
import type { Reads } from "./reads.ts";

const ALARM_NAMES = new Map<number, string>(
  Object.entries(AlarmType).map(([name, value]) => [value, name]),
);

export interface HealthParts {
  readonly raft: RaftView;
  readonly alarms: Alarms;
  readonly membership: Membership;
  readonly reads: Reads;
  readonly memberId: bigint;
  readonly stalledDiskMs: () => number;
}

export class HealthServer implements HealthService {
  readonly #parts: HealthParts;

  constructor(parts: HealthParts) {
    this.#parts = parts;
  }

  hasLeader(): boolean {
    return this.#parts.raft.leader() !== 0n;
  }

  activeAlarms(): string[] {
    return this.#parts.alarms.list().map((alarm) => ALARM_NAMES.get(alarm.type) ?? "UNKNOWN");
  }

  isLearner(): boolean {
    return this.#parts.membership.member(this.#parts.memberId)?.isLearner ?? false;
  }

  stalledDiskMs(): number {
    return this.#parts.stalledDiskMs();
  }

  probeRead(serializable: boolean, done: (error: string | null) => void): void {
    if (serializable) {
      done(null);
      return;
    }
    this.#parts.reads.wait((failure) => done(failure === null ? null : failure.message));
  }

  versions() {
    const cluster = this.#parts.membership.clusterVersion();
    return {
      server: ETCD_VERSION,
      cluster: cluster === "" ? "not_decided" : cluster,
      storage: STORAGE_VERSION,
      cairn: CAIRN_VERSION,
    };
  }
}
