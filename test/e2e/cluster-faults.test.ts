// A short fixed round of faults on a cluster of real processes. CAIRN_CLUSTER_FAULT_SECONDS makes it a random one of
// that length; cluster-faults.ts goes on for as long as wanted.

import { expect, test } from "bun:test";
import { faultRound, snapshotFlags } from "../cluster/fault-round.ts";
import type { FaultName } from "../cluster/faults.ts";
import { serverCommand } from "../reference-etcd.ts";

const seconds = Number(process.env.CAIRN_CLUSTER_FAULT_SECONDS ?? 0);
const seed = Number(process.env.CAIRN_CLUSTER_FAULT_SEED ?? 1);
const fixed: readonly FaultName[] = [
  "kill leader",
  "cut leader away",
  "pause leader",
  "rolling restart",
];

test(
  "three processes keep their word through kills, cuts, pauses and a rolling restart",
  async () => {
    const result = await faultRound({
      command: serverCommand("cairn"),
      seed,
      faults: seconds > 0 ? { seconds } : fixed,
      flags: snapshotFlags("cairn"),
    });
    if (result.kept !== null) console.log(`the members' files are kept: ${result.kept}`);
    expect(result.violations).toEqual([]);
    expect(result.acknowledgedWrites).toBeGreaterThan(100);
  },
  60_000 + seconds * 2000,
);
