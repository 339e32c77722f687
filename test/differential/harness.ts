// Runs the cases of one area against the real etcd and against cairn in lock step and compares what
// both saw, step by step. With CAIRN_SUBJECT=reference the second server is a real etcd too, which
// proves that the normalisation is stable.

import { afterAll, beforeAll, expect, test } from "bun:test";
import { cairnExists } from "../cairn-command.ts";
import { describeWithReference } from "../reference.ts";
import { type Member, startMember } from "../reference-etcd.ts";
import { expectedOf } from "./divergence.ts";
import { Side } from "./side.ts";
import type { Step } from "./trace.ts";

export interface Case {
  readonly name: string;
  readonly run: (side: Side) => Promise<void>;
}

export type Cases = Readonly<Record<string, Case["run"]>>;

export interface AreaOptions {
  readonly flags?: readonly string[];
  /** Set where the number of writes may differ between the two. */
  readonly revisionsDiffer?: boolean;
}

const caseMilliseconds = 30_000;

export const subjectIsReference = process.env.CAIRN_SUBJECT === "reference";

export interface Pair {
  readonly reference: Side;
  readonly subject: Side;
}

export function differentialArea(area: string, cases: Cases, options: AreaOptions = {}): void {
  if (!subjectIsReference && !cairnExists()) {
    test.skip(`differential: ${area} (skipped: there is no cairn to run)`, () => {});
    return;
  }
  describeWithReference(`differential: ${area}`, () => {
    const members: Member[] = [];
    let pair: Pair;
    let stepCount = 0;

    beforeAll(async () => {
      pair = await openPair(members, options);
    }, caseMilliseconds);

    afterAll(async () => {
      pair?.reference.close();
      pair?.subject.close();
      await Promise.all(members.map((member) => member.remove()));
      console.log(`differential ${area}: ${Object.keys(cases).length} cases, ${stepCount} steps`);
    });

    let index = 0;
    for (const [name, run] of Object.entries(cases)) {
      const prefix = `${area}/${index++}/`;
      test(
        name,
        async () => {
          stepCount += await compareCase(pair, prefix, run);
        },
        caseMilliseconds,
      );
    }

    if (options.revisionsDiffer) return;
    test("both stores end at the same revision", async () => {
      expect(await pair.subject.revision()).toBe(await pair.reference.revision());
    });
  });
}

export async function openPair(members: Member[], options: AreaOptions): Promise<Pair> {
  const kinds = ["etcd", subjectIsReference ? "etcd" : "cairn"] as const;
  const started = await Promise.allSettled(
    kinds.map((kind) => startMember({ kind, flags: options.flags })),
  );
  for (const result of started) if (result.status === "fulfilled") members.push(result.value);
  for (const result of started) if (result.status === "rejected") throw result.reason;
  const [reference, subject] = await Promise.all(members.map((member) => Side.open(member)));
  return { reference: reference!, subject: subject! };
}

/** Runs one case on both sides and compares; gives how many steps were compared. */
async function compareCase(pair: Pair, prefix: string, run: Case["run"]): Promise<number> {
  const sides = [pair.reference, pair.subject];
  await Promise.all(sides.map((side) => side.begin(prefix)));
  const outcomes = await Promise.allSettled(sides.map((side) => run(side)));
  const [expected, seen] = await Promise.all(sides.map((side) => side.finish()));
  compareSteps(expected!, seen!);
  for (const outcome of outcomes) if (outcome.status === "rejected") throw outcome.reason;
  return seen!.length;
}

/** Fails with every step that differs, not only the first. */
export function compareSteps(reference: readonly Step[], subject: readonly Step[]): void {
  const length = Math.max(reference.length, subject.length);
  const expected: object[] = [];
  const received: object[] = [];
  for (let index = 0; index < length; index++) {
    const step = reference[index] ?? missing;
    const seen = subject[index] ?? missing;
    const answer = subjectIsReference ? step.answer : expectedOf(step, seen);
    const wanted = { step: index, ...step, answer };
    if (Bun.deepEquals({ step: index, ...seen }, wanted)) continue;
    expected.push(wanted);
    received.push({ step: index, ...seen });
  }
  expect(received).toEqual(expected);
}

const missing: Step = { call: "nothing", request: null, answer: "the case ended before this step" };
