/**
 * What members tell each other of how they keep leases (docs/raft.md, lease reads). A leader reads by its lease only
 * while the others keep a promise to it: to elect nobody else for an election timeout. Who does not run in lease mode
 * forgets the promise when it restarts, and who has other intervals makes a shorter one. Pure.
 */
import type { Field } from "./hello.ts";

export interface LeaseSettings {
  readonly readMode: "safe" | "lease";
  readonly electionTimeoutMs: number;
  readonly heartbeatIntervalMs: number;
}

/** Of a member that this one has not met since it started. */
export const NEVER_MET = "it has not been met since this member started";

export function leaseFields(settings: LeaseSettings): Field[] {
  return [
    ["Cairn-Read-Mode", settings.readMode],
    ["Cairn-Election-Timeout", `${settings.electionTimeoutMs}`],
    ["Cairn-Heartbeat-Interval", `${settings.heartbeatIntervalMs}`],
  ];
}

/** Null: it says nothing of it, so it does not run in lease mode. A text: what is wrong. Names are in lower case. */
export function parseLeaseSettings(
  headers: ReadonlyMap<string, string>,
): LeaseSettings | string | null {
  const readMode = headers.get("cairn-read-mode");
  if (readMode === undefined) return null;
  if (readMode !== "safe" && readMode !== "lease") return "Cairn-Read-Mode is not known";
  const electionTimeoutMs = milliseconds(headers.get("cairn-election-timeout"));
  if (electionTimeoutMs === null) return "Cairn-Election-Timeout is no number";
  const heartbeatIntervalMs = milliseconds(headers.get("cairn-heartbeat-interval"));
  if (heartbeatIntervalMs === null) return "Cairn-Heartbeat-Interval is no number";
  return { readMode, electionTimeoutMs, heartbeatIntervalMs };
}

/** Why a leader with the own settings cannot rely on a member with the other ones; null when it can. */
export function leaseObstacle(own: LeaseSettings, other: LeaseSettings | null): string | null {
  if (other === null || other.readMode !== "lease") return "it does not run in lease mode";
  if (other.electionTimeoutMs !== own.electionTimeoutMs) {
    return `its election timeout is ${other.electionTimeoutMs} ms, not ${own.electionTimeoutMs} ms`;
  }
  if (other.heartbeatIntervalMs !== own.heartbeatIntervalMs) {
    const { heartbeatIntervalMs } = other;
    return `its heartbeat interval is ${heartbeatIntervalMs} ms, not ${own.heartbeatIntervalMs} ms`;
  }
  return null;
}

function milliseconds(text: string | undefined): number | null {
  return text !== undefined && /^\d{1,9}$/.test(text) ? Number(text) : null;
}
