// The search against the plain definition, on every small history of one register and on random ones,
// and against histories of known outcome that were damaged.
import { expect, test } from "bun:test";
import fc from "fast-check";
import { SeededRandom } from "../../disk/seeded-random.ts";
import type { HistoryEntry, Model, Outcome } from "./history.ts";
import { checkLinearizable, type SearchBounds } from "./linearizable.ts";
import { isLinearizableByForce, isLinearization } from "./linearization.ts";
import { type RegisterInput, type RegisterOutput, registerModel } from "./register-model.ts";

type Entry = HistoryEntry<RegisterInput, { value: RegisterOutput }>;
type Answer = RegisterOutput | "failed" | "unknown";

const key = "k";

function entry(input: RegisterInput, answer: Answer, callTime: number, returnTime: number): Entry {
  let outcome: Outcome<{ value: RegisterOutput }>;
  if (answer === "failed" || answer === "unknown") outcome = { kind: answer };
  else outcome = { kind: "ok", output: { value: answer }, returnTime };
  return { client: 0, input, callTime, outcome };
}

const read = (value: Answer, call: number, back: number) =>
  entry({ kind: "read", key }, value, call, back);
const write = (value: string, call: number, back: number, answer: Answer = value) =>
  entry({ kind: "write", key, value }, answer, call, back);
const cas = (from: string, to: string, answer: Answer, call: number, back: number) =>
  entry({ kind: "cas", key, from, to }, answer, call, back);

/** Every operation on a register of two values, with every answer. */
const kinds: readonly (readonly [RegisterInput, Answer])[] = [
  [{ kind: "read", key }, null],
  [{ kind: "read", key }, "a"],
  [{ kind: "read", key }, "b"],
  [{ kind: "write", key, value: "a" }, "a"],
  [{ kind: "write", key, value: "b" }, "b"],
  [{ kind: "write", key, value: "b" }, "unknown"],
  [{ kind: "cas", key, from: "a", to: "b" }, true],
  [{ kind: "cas", key, from: "a", to: "b" }, false],
  [{ kind: "cas", key, from: "a", to: "b" }, "unknown"],
];

function agrees<State, Input, Output>(
  history: readonly HistoryEntry<Input, Output>[],
  model: Model<State, Input, Output>,
  bounds?: SearchBounds,
): boolean {
  const verdict = checkLinearizable(history, model, bounds);
  if ((verdict.kind === "ok") !== isLinearizableByForce(history, model)) return false;
  if (verdict.kind === "ok") return true;
  return verdict.kind === "illegal" && isLinearization(history, model, verdict.longest);
}

/** Every way to lay the calls and returns of `count` operations in time, calls in order. */
function* intervals(count: number): Generator<readonly (readonly [number, number])[]> {
  const spans: [number, number][] = [];
  function* place(time: number): Generator<readonly (readonly [number, number])[]> {
    if (time === 2 * count) {
      yield spans;
      return;
    }
    if (spans.length < count) {
      spans.push([time, Number.NaN]);
      yield* place(time + 1);
      spans.pop();
    }
    for (const span of spans) {
      if (!Number.isNaN(span[1])) continue;
      span[1] = time;
      yield* place(time + 1);
      span[1] = Number.NaN;
    }
  }
  yield* place(0);
}

/** 4 takes a few seconds, 5 several minutes. */
const operationsMax = Number(process.env.CAIRN_HISTORY_OPERATIONS ?? 3);

test(`checkLinearizable agrees with brute force on all histories of up to ${operationsMax} operations`, () => {
  let checked = 0;
  const disagreements: string[] = [];
  let expected = 0;
  let ordersCount = 1;
  for (let count = 1; count <= operationsMax; count++) {
    ordersCount *= 2 * count - 1;
    expected += ordersCount * kinds.length ** count;
    for (const spans of intervals(count)) {
      for (let code = 0; code < kinds.length ** count; code++) {
        const history = spans.map(([call, back], place) => {
          const [input, answer] = kinds[Math.floor(code / kinds.length ** place) % kinds.length]!;
          return entry(input, answer, call, back);
        });
        checked++;
        if (!agrees(history, registerModel)) disagreements.push(JSON.stringify(history));
      }
    }
  }
  expect(disagreements.slice(0, 3)).toEqual([]);
  expect(checked).toBe(expected);
});

type Kind = readonly [RegisterInput, Answer];

function histories(of: readonly Kind[]) {
  const one = fc.record({ kind: fc.constantFrom(...of), call: fc.nat(10), length: fc.nat(8) });
  return fc
    .array(one, { minLength: 4, maxLength: 5 })
    .map((all) =>
      all.map(({ kind: [input, answer], call, length }) =>
        entry(input, answer, call, call + length),
      ),
    );
}

/** Counts verdicts, so that a test can show that it saw both. */
function agreementOn<State, Input, Output>(
  model: Model<State, Input, Output>,
  bounds?: SearchBounds,
) {
  const counts = { ok: 0, illegal: 0, timeout: 0 };
  const check = (history: readonly HistoryEntry<Input, Output>[]) => {
    counts[checkLinearizable(history, model).kind]++;
    return agrees(history, model, bounds);
  };
  return { counts, check };
}

test("checkLinearizable agrees with brute force on random histories of 4 and 5 operations", () => {
  const { counts, check } = agreementOn(registerModel);
  const all = histories([...kinds, [{ kind: "read", key }, "failed"]]);
  fc.assert(fc.property(all, check), { numRuns: 20_000 });
  expect(Math.min(counts.ok, counts.illegal)).toBeGreaterThan(2000);
});

test("checkLinearizable agrees with brute force where most writes are of unknown outcome", () => {
  const { counts, check } = agreementOn(registerModel);
  const lost = histories([
    ...kinds.filter(([input, answer]) => answer === "unknown" || input.kind === "read"),
    [{ kind: "write", key, value: "a" }, "unknown"],
    [{ kind: "cas", key, from: "b", to: "a" }, "unknown"],
    [{ kind: "write", key, value: "a" }, "a"],
  ]);
  fc.assert(fc.property(lost, check), { numRuns: 20_000 });
  expect(Math.min(counts.ok, counts.illegal)).toBeGreaterThan(2000);
});

/** A counter: each increment answers the new count, so the answers count progress. */
const counterModel: Model<number, "add" | "get", number> = {
  initial: 0,
  step(state, input, output) {
    const next = input === "add" ? state + 1 : state;
    return [output === null || output === next, next];
  },
  hash: (state) => state,
  equal: (a, b) => a === b,
  preservesState: (input) => input === "get",
  progress: {
    of: (state) => state,
    last: (input, output) => (input === "add" ? output - 1 : output),
  },
};

const counterEntries = fc.array(
  fc
    .record({
      input: fc.constantFrom("add" as const, "get" as const),
      answer: fc.oneof(fc.integer({ min: 0, max: 2 }), fc.constant("unknown" as const)),
      callTime: fc.nat(10),
      length: fc.nat(8),
    })
    .map(({ input, answer, callTime, length }): HistoryEntry<"add" | "get", number> => {
      if (answer === "unknown") return { client: 0, input, callTime, outcome: { kind: answer } };
      const outcome = { kind: "ok", output: answer, returnTime: callTime + length } as const;
      return { client: 0, input, callTime, outcome };
    }),
  { minLength: 2, maxLength: 5 },
);

test("checkLinearizable compares configurations exactly where all hashes collide", () => {
  const bounds = { stepsMax: 100_000, hashMask: 0 };
  const { counts, check } = agreementOn(registerModel, bounds);
  fc.assert(fc.property(histories(kinds), check), { numRuns: 10_000 });
  expect(Math.min(counts.ok, counts.illegal)).toBeGreaterThan(1000);
  for (let seed = 1; seed <= 40; seed++) {
    const history = goodHistory(seed, 400, 1);
    expect(checkLinearizable(history, registerModel, bounds).kind).toBe("ok");
  }
});

test("checkLinearizable prunes by progress without changing a verdict", () => {
  const { counts, check } = agreementOn(counterModel);
  fc.assert(fc.property(counterEntries, check), { numRuns: 10_000 });
  expect(Math.min(counts.ok, counts.illegal)).toBeGreaterThan(500);
});

test("checkLinearizable takes intervals as closed and needs no answer of a pending write", () => {
  expect(checkLinearizable([write("a", 0, 5), read(null, 5, 6)], registerModel).kind).toBe("ok");
  expect(checkLinearizable([write("a", 0, 5), read(null, 6, 7)], registerModel).kind).toBe(
    "illegal",
  );
  const late = [write("a", 0, 0, "unknown"), read(null, 50, 51), read("a", 60, 61)];
  expect(checkLinearizable(late, registerModel).kind).toBe("ok");
  const early = [write("a", 20, 0, "unknown"), read("a", 10, 11)];
  expect(checkLinearizable(early, registerModel).kind).toBe("illegal");
  const twice = [...late, read(null, 70, 71)];
  expect(checkLinearizable(twice, registerModel).kind).toBe("illegal");
  expect(checkLinearizable([], registerModel).kind).toBe("ok");
});

test("checkLinearizable drops what failed and refuses a return before its call", () => {
  const history = [write("a", 0, 1), write("b", 2, 3, "failed"), read("failed", 4, 5)];
  expect(checkLinearizable([...history, read("a", 6, 7)], registerModel).kind).toBe("ok");
  expect(checkLinearizable([...history, read("b", 6, 7)], registerModel).kind).toBe("illegal");
  expect(() => checkLinearizable([read("a", 5, 4)], registerModel)).toThrow("before its call");
});

test("checkLinearizable names the partition, the longest order and what fits nowhere", () => {
  const other = entry({ kind: "write", key: "other", value: "x" }, "x", 0, 1);
  const history = [other, write("a", 0, 1), cas("a", "b", true, 2, 3), read("a", 4, 5)];
  const verdict = checkLinearizable(history, registerModel);
  expect(verdict).toMatchObject({ kind: "illegal", partition: key, longest: [1, 2], blocked: 3 });
});

/** A register served one operation at a time, seen through intervals around the moment of each. */
function goodHistory(seed: number, operations: number, keys = 3): Entry[] {
  const random = new SeededRandom(seed);
  const values: (string | null)[] = Array(keys).fill(null);
  const history: Entry[] = [];
  for (let at = 0; at < operations; at++) {
    const which = random.below(values.length);
    const name = `k${which}`;
    const callTime = at - random.next() * 6;
    const returnTime = at + random.next() * 6;
    const kind = random.below(3);
    if (kind === 0) {
      const outcome = { kind: "ok", output: { value: values[which]! }, returnTime } as const;
      history.push({ client: 0, input: { kind: "read", key: name }, callTime, outcome });
      continue;
    }
    const unknown = random.chance(0.05);
    const applied = !unknown || random.chance(0.5);
    const value = `v${at}`;
    let answer: RegisterOutput = value;
    let input: RegisterInput = { kind: "write", key: name, value };
    if (kind === 2 && values[which] !== null) {
      const matches = random.chance(0.5);
      input = { kind: "cas", key: name, from: matches ? values[which]! : "no", to: value };
      answer = matches;
    }
    if (applied && answer !== false) values[which] = value;
    const outcome: Outcome<{ value: RegisterOutput }> = unknown
      ? { kind: "unknown" }
      : { kind: "ok", output: { value: answer }, returnTime };
    history.push({ client: 0, input, callTime, outcome });
  }
  return history;
}

test("checkLinearizable accepts long histories and rejects them with one stale or invented read", () => {
  for (let seed = 1; seed <= 20; seed++) {
    const history = goodHistory(seed, 1500);
    expect(checkLinearizable(history, registerModel).kind).toBe("ok");
    const reads = [...history.keys()].filter((at) => history[at]!.input.kind === "read");
    const place = reads[Math.floor(reads.length / 2)]!;
    const victim = history[place]!;
    for (const value of ["never written", null]) {
      const outcome = { ...victim.outcome, output: { value } } as Entry["outcome"];
      const broken = history.with(place, { ...victim, outcome });
      expect(checkLinearizable(broken, registerModel).kind).toBe("illegal");
    }
  }
});

test("checkLinearizable stops at its bound with a timeout, which names how far it came", () => {
  const verdict = checkLinearizable(goodHistory(1, 200), registerModel, { stepsMax: 40 });
  expect(verdict.kind).toBe("timeout");
  expect(verdict.steps).toBe(40);
  expect(verdict.kind === "timeout" && verdict.longest.length).toBeGreaterThan(10);
});
