// The whole-store check accepts good runs and rejects damaged ones; so does the per-key check, which needs
// no revisions and therefore sees less.
import { expect, test } from "bun:test";
import fc from "fast-check";
import { type KvEntry, type KvModelOptions, KvState, kvModel } from "./kv-model.ts";
import type { KvResponse } from "./kv-operations.ts";
import { checkLinearizable, type Verdict } from "./linearizable.ts";
import { isLinearizableByForce, isLinearization } from "./linearization.ts";
import { keyModel, perKey } from "./per-key.ts";
import { resolveUnknown } from "./resolve-unknown.ts";
import { RevisionHistory } from "./revision-history.ts";
import { range, sampleRun } from "./sample-run.ts";

type Ok<Kind extends KvResponse["kind"]> = KvResponse & { kind: Kind };

/** Serializable reads are not part of the linearizable history. */
function linearizable(entries: readonly KvEntry[]): KvEntry[] {
  return entries.filter(({ input }) => input.kind !== "range" || !input.serializable);
}

function search(entries: readonly KvEntry[], options: KvModelOptions = {}): Verdict {
  return checkLinearizable(linearizable(entries), kvModel(options));
}

/** The entry with another answer. */
function answered(entry: KvEntry, output: object): KvEntry {
  if (entry.outcome.kind !== "ok") throw new Error("the entry has no answer");
  return {
    ...entry,
    outcome: { ...entry.outcome, output: { ...entry.outcome.output, ...output } as KvResponse },
  };
}

/** Replaces the middle one of the entries that the damage is for. */
function damaged(
  entries: readonly KvEntry[],
  isFor: (entry: KvEntry, output: KvResponse) => boolean,
  damage: (entry: KvEntry) => KvEntry,
): KvEntry[] {
  const places = [...entries.keys()].filter((place) => {
    const entry = entries[place]!;
    return entry.outcome.kind === "ok" && isFor(entry, entry.outcome.output);
  });
  const place = places[Math.floor(places.length / 2)];
  if (place === undefined) throw new Error("no entry to damage");
  return entries.with(place, damage(entries[place]!));
}

test("kvModel accepts good runs, in a few steps per operation", () => {
  for (let seed = 1; seed <= 20; seed++) {
    const { entries, history } = sampleRun({ seed });
    expect(search(entries).kind).toBe("ok");
    expect(search(resolveUnknown(entries, history), { history }).kind).toBe("ok");
    const verdict = search(resolveUnknown(entries, history), { history, keysOnly: true });
    expect(verdict.kind).toBe("ok");
    expect(verdict.steps).toBeLessThan(entries.length * 12);
  }
});

test("kvModel checks ten thousand operations of many clients with the log", () => {
  const run = sampleRun({ operations: 10_000, keys: 40, reach: 30, lost: 0.02 });
  const entries = resolveUnknown(run.entries, run.history);
  const verdict = search(entries, { history: run.history, keysOnly: true });
  expect(verdict.kind).toBe("ok");
  expect(verdict.steps).toBeLessThan(entries.length * 60);
});

const isRead = ({ input }: KvEntry, output: KvResponse) =>
  input.kind === "range" && !input.serializable && input.revision === 0 && output.kind === "range";

const damages: Record<string, (entries: readonly KvEntry[]) => KvEntry[]> = {
  "a read that was answered long after": (entries) =>
    damaged(entries, isRead, (entry) => {
      const { outcome, callTime } = entry;
      if (outcome.kind !== "ok") return entry;
      const late = { ...outcome, returnTime: outcome.returnTime + 60 };
      return { ...entry, callTime: callTime + 60, outcome: late };
    }),
  "a read of a revision that was not yet": (entries) =>
    damaged(entries, isRead, (entry) => {
      const { outcome } = entry;
      if (outcome.kind !== "ok") return entry;
      return answered(entry, { revision: (outcome.output as Ok<"range">).revision + 60 });
    }),
  "a read without one of its keys": (entries) =>
    damaged(
      entries,
      (entry, output) => isRead(entry, output) && (output as Ok<"range">).count > 0,
      (entry) => answered(entry, { keyValues: [], count: 0 }),
    ),
  "a wrong version": (entries) =>
    damaged(
      entries,
      (_, output) => output.kind === "put" && output.previous != null,
      (entry) => {
        const { previous } = (entry.outcome as { output: Ok<"put"> }).output;
        return answered(entry, { previous: { ...previous, version: previous!.version + 1 } });
      },
    ),
  "a write that took another one's revision": (entries) =>
    damaged(
      entries,
      (_, output) => output.kind === "put",
      (entry) => {
        const { revision } = (entry.outcome as { output: Ok<"put"> }).output;
        return answered(entry, { revision: revision - 1, previous: undefined });
      },
    ),
  "a txn that went the other way": (entries) =>
    damaged(
      entries,
      (_, output) => output.kind === "txn",
      (entry) => {
        const { succeeded } = (entry.outcome as { output: Ok<"txn"> }).output;
        return answered(entry, { succeeded: !succeeded });
      },
    ),
  "a deletion of one key more": (entries) =>
    damaged(
      entries,
      (_, output) => output.kind === "delete-range" && output.deleted > 0,
      (entry) => answered(entry, { deleted: 9, previous: undefined }),
    ),
  "a lost write that was acknowledged": (entries) =>
    damaged(
      entries,
      (entry, output) => entry.input.kind === "put" && output.kind === "put",
      (entry) => ({ ...entry, outcome: { kind: "failed" } }),
    ),
  "an unfounded refusal": (entries) =>
    damaged(entries, isRead, (entry) => ({
      ...entry,
      outcome: {
        ...entry.outcome,
        output: { kind: "error", error: "future-revision" },
      } as KvEntry["outcome"],
    })),
};

for (const [name, damage] of Object.entries(damages)) {
  test(`kvModel rejects ${name}`, () => {
    for (let seed = 1; seed <= 10; seed++) {
      const { entries, history } = sampleRun({ seed, lost: 0.02 });
      const broken = damage(entries);
      const options = { history };
      expect(search(resolveUnknown(broken, history), options).kind).toBe("illegal");
      // Without the log a lost answer may stand in for the damage, but the search must end.
      const verdict = search(broken);
      expect(verdict.kind).not.toBe("timeout");
      if (verdict.kind === "ok") continue;
      expect(isLinearization(linearizable(broken), kvModel(), verdict.longest)).toBe(true);
    }
  });
}

test("kvModel agrees with brute force on small runs, good ones and damaged ones", () => {
  const counts = { ok: 0, illegal: 0, timeout: 0 };
  const runs = fc.record({
    seed: fc.integer({ min: 1, max: 1_000_000 }),
    at: fc.nat(4),
    other: fc.nat(4),
    damage: fc.constantFrom("none", "swap", "late", "drop"),
  });
  fc.assert(
    fc.property(runs, ({ seed, at, other, damage }) => {
      const all = sampleRun({ seed, operations: 12, keys: 2, lost: 0.2, reach: 6 }).entries;
      const entries = linearizable(all).slice(0, 5);
      const one = entries[at]!;
      const two = entries[other]!;
      if (damage === "swap") {
        entries[at] = { ...one, outcome: two.outcome };
        entries[other] = { ...two, outcome: one.outcome };
      }
      if (damage === "late") entries[at] = { ...one, callTime: one.callTime - 3 };
      if (damage === "drop") entries[at] = { ...one, outcome: { kind: "failed" } };
      for (const [place, { callTime, outcome }] of entries.entries()) {
        if (outcome.kind !== "ok" || outcome.returnTime >= callTime) continue;
        const returnTime = callTime + 1;
        entries[place] = { ...entries[place]!, outcome: { ...outcome, returnTime } };
      }
      const verdict = checkLinearizable(entries, kvModel());
      counts[verdict.kind]++;
      return (verdict.kind === "ok") === isLinearizableByForce(entries, kvModel());
    }),
    { numRuns: 3000 },
  );
  expect(Math.min(counts.ok, counts.illegal)).toBeGreaterThan(300);
});

test("kvModel starts a window at a later state", () => {
  const { entries, history } = sampleRun({ lost: 0, operations: 200, reach: 0.5 });
  const half = entries.filter(({ outcome }, place) => place >= 100 || outcome.kind === "unknown");
  expect(search(half, { history, keysOnly: true }).kind).toBe("illegal");
  let revision = 1;
  for (const { outcome } of entries.slice(0, 100)) {
    if (outcome.kind !== "ok" || outcome.output.kind === "error") continue;
    revision = Math.max(revision, outcome.output.revision);
  }
  const keys = history.rangeAt("", "\0", revision).map((each) => [each.key, each] as const);
  const initial = new KvState(revision, -1, new Map(keys), new Set());
  expect(search(half, { history, initial, keysOnly: true }).kind).toBe("ok");
});

test("perKey accepts good runs, and rejects what single keys show", () => {
  for (let seed = 1; seed <= 20; seed++) {
    const { entries } = sampleRun({ seed });
    expect(checkLinearizable(perKey(entries), keyModel).kind).toBe("ok");
  }
  const seen = ["a read without one of its keys", "a lost write that was acknowledged"];
  for (const name of seen) {
    let rejected = 0;
    for (let seed = 1; seed <= 20; seed++) {
      const broken = damages[name]!(sampleRun({ seed, lost: 0 }).entries);
      if (checkLinearizable(perKey(broken), keyModel).kind === "illegal") rejected++;
    }
    expect(rejected).toBeGreaterThan(10);
  }
});

test("perKey rejects a value that nobody wrote, on a key that nobody wrote", () => {
  const { entries } = sampleRun();
  const { outcome } = entries.find((entry) => entry.outcome.kind === "ok")!;
  const keyValue = {
    key: "zz",
    value: "?",
    createRevision: 2,
    modRevision: 2,
    version: 1,
    lease: 0n,
  };
  const output = {
    kind: "range",
    revision: 9,
    keyValues: [keyValue],
    count: 1,
    more: false,
  } as const;
  const invented: KvEntry = {
    client: 1,
    input: range("z", { rangeEnd: "\0" }),
    callTime: 0,
    outcome: { ...outcome, output } as KvEntry["outcome"],
  };
  const verdict = checkLinearizable(perKey([...entries, invented]), keyModel);
  expect(verdict).toMatchObject({ kind: "illegal", partition: "zz" });
});

test("resolveUnknown settles writes of unique values and leaves the others open", () => {
  const { entries, history, log } = sampleRun({ lost: 0.3 });
  const settled = resolveUnknown(entries, history);
  let placed = 0;
  for (const [place, entry] of entries.entries()) {
    const { input, outcome } = entry;
    if (outcome.kind !== "unknown") expect(settled[place]).toBe(entry);
    if (outcome.kind !== "unknown" || input.kind !== "put") continue;
    const after = settled[place]!.outcome;
    const found = log.find(({ changes }) =>
      changes.some((change) => change.kind === "put" && change.value === input.value),
    );
    if (found === undefined) expect(after.kind).toBe("failed");
    else expect(after).toMatchObject({ output: { kind: "applied", revision: found.revision } });
    if (found !== undefined) placed++;
  }
  expect(placed).toBeGreaterThan(3);
  const isOpen = (kind: string) =>
    settled.some(({ input, outcome }) => input.kind === kind && outcome.kind === "unknown");
  expect(isOpen("put")).toBe(false);
  expect(isOpen("delete-range")).toBe(true);
});

test("resolveUnknown does not settle a value that was written twice, nor one inside a nested txn", () => {
  const put = { kind: "put", key: "a", value: "twice", lease: 0n } as const;
  const output = { kind: "put", revision: 2 } as const;
  const first: KvEntry = {
    client: 1,
    input: put,
    callTime: 0,
    outcome: { kind: "ok", output, returnTime: 1 },
  };
  const again: KvEntry = { client: 2, input: put, callTime: 0, outcome: { kind: "unknown" } };
  const history = new RevisionHistory([{ revision: 2, changes: [put] }]);
  expect(resolveUnknown([first, again], history)[1]).toBe(again);
  const nested = { kind: "txn", compares: [], success: [put], failure: [] } as const;
  const outer: KvEntry = { ...again, input: { ...nested, success: [nested] } };
  expect(resolveUnknown([outer], history)[0]).toBe(outer);
});

test("kvModel with the log takes a lost write only as it stands there", () => {
  const put = { kind: "put", key: "a", value: "lost", lease: 0n } as const;
  const output = { kind: "range", revision: 2, keyValues: [], count: 0, more: false } as const;
  const entries: KvEntry[] = [
    { client: 1, input: put, callTime: 0, outcome: { kind: "unknown" } },
    { client: 2, input: range("b"), callTime: 1, outcome: { kind: "ok", output, returnTime: 2 } },
  ];
  const logOf = (value: string) =>
    new RevisionHistory([{ revision: 2, changes: [{ ...put, value }] }]);
  expect(search(entries).kind).toBe("ok");
  expect(search(entries, { history: logOf("lost") }).kind).toBe("ok");
  expect(search(entries, { history: logOf("other") }).kind).toBe("illegal");
});
