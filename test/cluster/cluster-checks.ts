// What must hold once a cluster is whole again: it converges, all members are the same, and everything that clients
// and watchers saw was right.

import { existsSync } from "node:fs";
import { join } from "node:path";
import { method } from "../differential/grpc-client.ts";
import type { JsonObject } from "../differential/plain.ts";
import { checkDatabase } from "../e2e/database-check.ts";
import { checkStore } from "../simulation/checkers/check-store.ts";
import type { KvEntry } from "../simulation/checkers/kv-model.ts";
import type { Violation } from "../simulation/checkers/violations.ts";
import { checkWatch, type RecordedWatch } from "../simulation/checkers/watch-checks.ts";
import type { ClusterProcesses } from "./cluster-processes.ts";
import type { HistoryReader } from "./history-reader.ts";

export interface Seen {
  readonly entries: readonly KvEntry[];
  readonly watches: readonly RecordedWatch[];
  readonly compactedRevision: number;
}

/** The members agree on revision and hash; waits for laggards within its limit. */
export async function checkSameState(cluster: ClusterProcesses): Promise<Violation[]> {
  let told: Violation[] = [];
  const agree = async () => {
    const hashes = await Promise.all(cluster.members.map((member) => hashOf(member.client)));
    const different = new Set(hashes).size > 1;
    const texts = cluster.members.map(({ name }, at) => `${name} ${hashes[at]}`);
    told = different ? [{ rule: "same-state", message: texts.join("; ") }] : [];
    return !different;
  };
  try {
    await cluster.wait("equal hashes", 15_000, agree);
  } catch {
    return told;
  }
  return told;
}

async function hashOf(client: ClusterProcesses["members"][number]["client"]): Promise<string> {
  const outcome = await client.unary(method("Maintenance", "HashKV"), { revision: "0" });
  if ("error" in outcome) return outcome.error.details;
  const { header, hash, compact_revision } = outcome.ok as JsonObject;
  const revision = (header as JsonObject).revision;
  return `hash ${hash} at revision ${revision}, compacted ${compact_revision ?? "0"}`;
}

export async function checkHistory(
  cluster: ClusterProcesses,
  reader: HistoryReader,
  { entries, watches, compactedRevision }: Seen,
): Promise<Violation[]> {
  const violations: Violation[] = [];
  for (const member of cluster.members) {
    violations.push(...(await reader.confirm(member.client, member.name)));
  }
  const history = reader.history();
  violations.push(...checkStore(entries, history));
  for (const watch of watches) {
    // One that was answered nothing has nothing to be checked.
    if (watch.responses.length === 0) continue;
    violations.push(...checkWatch(watch, history, compactedRevision));
  }
  return violations;
}

/** After a clean stop: the files are whole. */
export async function checkFiles(cluster: ClusterProcesses): Promise<Violation[]> {
  const violations: Violation[] = [];
  for (const member of cluster.members) {
    const path = join(member.dataDirectory, "member", "snap", "db");
    if (!existsSync(path)) continue;
    for (const problem of await checkDatabase(path)) {
      violations.push({ rule: "database", message: `${member.name}: ${problem}` });
    }
  }
  return violations;
}
