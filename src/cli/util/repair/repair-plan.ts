/**
 * How far the replacement of a member has come, in a file of the data directory: a run that was interrupted goes on
 * where it stood, and until it is done the member refuses to start (server/unfinished-repair.ts).
 */
import { utf8, utf8Text } from "../../../base/bytes.ts";
import { hexId } from "../../../cluster/index.ts";
import type { Disk } from "../../../io/index.ts";
import { UNFINISHED_REPAIR_FILE } from "../../../server/index.ts";
import { RepairProblem } from "./repair-problem.ts";

export interface RepairPlan {
  readonly clusterId: bigint;
  /** The member that is taken out of the cluster. */
  readonly oldMember: bigint;
  /** The one that takes its place; 0n until it was added. */
  readonly newMember: bigint;
  readonly name: string;
  readonly peerUrls: readonly string[];
  readonly isLearner: boolean;
}

const BYTES_MAX = 1 << 16;

export function hasPlan(disk: Disk, dataDirectory: string): boolean {
  return disk.exists(planPath(dataDirectory));
}

export function readPlan(disk: Disk, dataDirectory: string): RepairPlan | null {
  const path = planPath(dataDirectory);
  if (!disk.exists(path)) return null;
  const file = disk.open(path, { readOnly: true });
  const bytes = new Uint8Array(Math.min(file.sizeBytes(), BYTES_MAX));
  const length = file.readAt(bytes, 0, bytes.length, 0);
  file.close();
  const plan = parsePlan(utf8Text(bytes.subarray(0, length)));
  if (plan === null) throw new RepairProblem(`${path} cannot be read`);
  return plan;
}

/** Durable when it returns, whole or not at all. */
export function writePlan(disk: Disk, dataDirectory: string, plan: RepairPlan): void {
  const { name, peerUrls, isLearner } = plan;
  const text = JSON.stringify({
    clusterId: hexId(plan.clusterId),
    oldMember: hexId(plan.oldMember),
    newMember: hexId(plan.newMember),
    ...{ name, peerUrls, isLearner },
  });
  const path = planPath(dataDirectory);
  const part = `${path}.part`;
  if (disk.exists(part)) disk.remove(part);
  const bytes = utf8(`${text}\n`);
  const file = disk.open(part, { create: true, exclusive: true });
  try {
    file.writeAt(bytes, 0, bytes.length, 0);
    file.syncNow();
  } finally {
    file.close();
  }
  disk.rename(part, path);
  disk.syncDirectory(dataDirectory);
}

export function removePlan(disk: Disk, dataDirectory: string): void {
  disk.remove(planPath(dataDirectory));
  disk.syncDirectory(dataDirectory);
}

function planPath(dataDirectory: string): string {
  return `${dataDirectory}/${UNFINISHED_REPAIR_FILE}`;
}

function parsePlan(text: string): RepairPlan | null {
  try {
    const { clusterId, oldMember, newMember, name, peerUrls, isLearner } = JSON.parse(text);
    const areTexts = Array.isArray(peerUrls) && peerUrls.every((url) => typeof url === "string");
    if (!areTexts || typeof name !== "string" || typeof isLearner !== "boolean") return null;
    return {
      clusterId: BigInt(`0x${clusterId}`),
      oldMember: BigInt(`0x${oldMember}`),
      newMember: BigInt(`0x${newMember}`),
      ...{ name, peerUrls, isLearner },
    };
  } catch (error) {
    if (error instanceof SyntaxError || error instanceof TypeError) return null;
    throw error;
  }
}
