// Random sequences of writes, reads, txns, compactions and leases: after every step both answer the
// same, and at the end both hold the same keys, hashes, leases and history.
//
// CAIRN_DIFFERENTIAL_SEED repeats a run; CAIRN_DIFFERENTIAL_STEPS makes it longer.

import { afterAll, beforeAll, test } from "bun:test";
import { cairnExists } from "../cairn-command.ts";
import { describeWithReference } from "../reference.ts";
import type { Member } from "../reference-etcd.ts";
import { compareSteps, openPair, type Pair, subjectIsReference } from "./harness.ts";
import type { JsonObject } from "./plain.ts";
import { RandomSequence } from "./random-sequence.ts";
import type { Side } from "./side.ts";

const stepCount = Number(process.env.CAIRN_DIFFERENTIAL_STEPS ?? 800);
const seed = Number(process.env.CAIRN_DIFFERENTIAL_SEED ?? (Math.random() * 2 ** 32) >>> 0);
const runMilliseconds = 60_000 + stepCount * 20;
const unavailable = 14;
const everything = { key: "\0", range_end: "\0" };

async function finalState(side: Side, compacted: number): Promise<void> {
  await side.range(everything);
  for (let revision = Math.max(1, compacted); revision <= side.base; revision += 3) {
    await side.range({ ...everything, revision });
    if (revision > compacted) await side.call("Maintenance", "HashKV", { revision });
  }
  await side.call("Maintenance", "HashKV", {});
  for (const ID of [11, 12, 13]) await side.call("Lease", "LeaseTimeToLive", { ID, keys: true });
  const watch = side.watch();
  const start_revision = Math.max(1, compacted);
  const id = await watch.create({ ...everything, start_revision, prev_kv: true });
  // The last event is a mark put now, so that the end of the history is known.
  await side.put("mark", "end");
  await watch.eventsUntil(id, (event) => (event.kv as JsonObject).key === "mark");
}

describeWithReference("differential: random sequences", () => {
  if (!subjectIsReference && !cairnExists()) {
    test.skip("random sequences (skipped: there is no cairn to run)", () => {});
    return;
  }
  const members: Member[] = [];
  let pair: Pair;
  beforeAll(async () => {
    pair = await openPair(members, {});
  });
  afterAll(async () => {
    pair?.reference.close();
    pair?.subject.close();
    await Promise.all(members.map((member) => member.remove()));
  });

  test(
    `${stepCount} steps from seed ${seed}`,
    async () => {
      console.log(`differential random: CAIRN_DIFFERENTIAL_SEED=${seed}`);
      const sequence = new RandomSequence(seed);
      let compacted = 0;
      for (let count = 0; count < stepCount; count++) {
        const step = sequence.next();
        const sides = [pair.reference, pair.subject];
        for (const side of sides) side.beginStep(0);
        const [answer] = await Promise.all(
          sides.map((side) => side.call(step.service, step.name, step.request)),
        );
        const [expected, seen] = await Promise.all(sides.map((side) => side.finish()));
        compareSteps(expected!, seen!);
        const ok = answer !== undefined && "ok" in answer ? (answer.ok as JsonObject) : null;
        if (answer !== undefined && "error" in answer && answer.error.code === unavailable) {
          throw new Error(`step ${count} ended the server: ${JSON.stringify(step)}`);
        }
        if (ok === null) continue;
        sequence.revision = Number((ok.header as JsonObject).revision);
        if (step.name === "Compact") compacted = Number(step.request.revision);
      }
      await compareFinalStates(pair, compacted);
    },
    runMilliseconds,
  );
});

async function compareFinalStates(pair: Pair, compacted: number): Promise<void> {
  const sides = [pair.reference, pair.subject];
  await Promise.all(sides.map((side) => side.begin("")));
  await Promise.all(sides.map((side) => finalState(side, compacted)));
  const [expected, seen] = await Promise.all(sides.map((side) => side.finish()));
  compareSteps(expected!, seen!);
}
