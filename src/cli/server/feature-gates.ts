/**
 * etcd's feature gates: `Name=bool,Name=bool`, also AllAlpha and AllBeta. What a gate switches on must be there: the
 * ones that are not are refused when they are asked for.
 */
import { parseBool } from "../args/go-number.ts";
import { ConfigProblem } from "./config-problem.ts";

interface Gate {
  readonly name: string;
  readonly stage: "ALPHA" | "BETA";
  readonly fallback: boolean;
  /** Whether both settings work here. */
  readonly switchable: boolean;
}

export const GATES: readonly Gate[] = [
  { name: "CompactHashCheck", stage: "ALPHA", fallback: false, switchable: true },
  { name: "InitialCorruptCheck", stage: "ALPHA", fallback: false, switchable: true },
  // Off in etcd: there a new leader gives every lease its whole time again.
  { name: "LeaseCheckpoint", stage: "ALPHA", fallback: true, switchable: true },
  // Always as LeaseCheckpoint, unless it is named.
  { name: "LeaseCheckpointPersist", stage: "ALPHA", fallback: true, switchable: true },
  { name: "SetMemberLocalAddr", stage: "ALPHA", fallback: false, switchable: false },
  { name: "StopGRPCServiceOnDefrag", stage: "ALPHA", fallback: false, switchable: false },
  { name: "PriorityRequest", stage: "ALPHA", fallback: false, switchable: false },
  { name: "TxnModeWriteWithSharedBuffer", stage: "BETA", fallback: true, switchable: true },
  { name: "FastLeaseKeepAlive", stage: "BETA", fallback: true, switchable: true },
];

/** Every gate's setting by name, or why the text is refused. */
export function parseFeatureGates(text: string): Map<string, boolean> | ConfigProblem {
  const settings = new Map(GATES.map((gate) => [gate.name, gate.fallback]));
  const parts = text.split(",").filter((item) => item.trim() !== "");
  // A gate that is named itself is what its own setting says, wherever its group is named.
  const inGroupsFirst = parts.sort((a, b) => Number(isGroup(b)) - Number(isGroup(a)));
  for (const part of inGroupsFirst) {
    const problem = applySetting(settings, part);
    if (problem !== null) return problem;
  }
  if (!parts.some((part) => /^\s*(LeaseCheckpointPersist|AllAlpha)\s*=/.test(part))) {
    settings.set("LeaseCheckpointPersist", settings.get("LeaseCheckpoint") === true);
  }
  if (settings.get("LeaseCheckpointPersist") && !settings.get("LeaseCheckpoint")) {
    return new ConfigProblem(
      "verify",
      "enabling feature gate LeaseCheckpointPersist requires enabling feature gate LeaseCheckpoint",
    );
  }
  return settings;
}

function isGroup(part: string): boolean {
  return /^\s*All(Alpha|Beta)\s*=/.test(part);
}

function applySetting(settings: Map<string, boolean>, part: string): ConfigProblem | null {
  const [name, value] = part.split("=").map((item) => item.trim()) as [string, string?];
  if (value === undefined) {
    return new ConfigProblem("verify", `missing bool value for feature gate ${name}`);
  }
  const parsed = parseBool(value);
  if ("failure" in parsed) {
    const message = `invalid value of ${name}=${value}: it must be true or false`;
    return new ConfigProblem("verify", message);
  }
  const wanted = parsed.value;
  const gates = GATES.filter((gate) => gate.name === name || `All${title(gate.stage)}` === name);
  if (gates.length === 0) {
    return new ConfigProblem("verify", `unrecognized feature gate: ${name}`);
  }
  for (const gate of gates) {
    if (gate.switchable) settings.set(gate.name, wanted);
    else if (gate.name === name && wanted !== gate.fallback) {
      const message = `feature gate ${name} is not supported by this version of cairn`;
      return new ConfigProblem("verify", message);
    }
  }
  return null;
}

function title(stage: string): string {
  return stage[0] + stage.slice(1).toLowerCase();
}
