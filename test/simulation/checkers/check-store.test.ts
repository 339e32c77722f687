// Good runs pass every check; a damaged run or a damaged log fails the one that is made for it.
import { expect, test } from "bun:test";
import { compactionModel, compactions, leaseModel, perLease } from "./apart.ts";
import { checkStore } from "./check-store.ts";
import { checkDurableAcks } from "./durable-acks.ts";
import type { KvEntry } from "./kv-model.ts";
import type { KvError, KvRequest, KvResponse } from "./kv-operations.ts";
import { checkLinearizable } from "./linearizable.ts";
import { checkAnswers, checkRevisions } from "./revision-checks.ts";
import { type RevisionChanges, RevisionHistory } from "./revision-history.ts";
import { range, type SampleRun, sampleRun } from "./sample-run.ts";
import type { Violation } from "./violations.ts";

const rulesOf = (violations: readonly Violation[]) => [
  ...new Set(violations.map(({ rule }) => rule)),
];

function done(
  client: number,
  input: KvRequest,
  output: KvResponse,
  callTime: number,
  returnTime: number,
): KvEntry {
  return { client, input, callTime, outcome: { kind: "ok", output, returnTime } };
}

function put(client: number, revision: number, callTime: number, returnTime: number): KvEntry {
  const input = { kind: "put", key: "a", value: `v${revision}`, lease: 0n } as const;
  return done(client, input, { kind: "put", revision }, callTime, returnTime);
}

function read(client: number, revision: number, call: number, back: number, rest = {}): KvEntry {
  const output = { kind: "range", revision, keyValues: null, count: 0, more: false } as const;
  return done(client, range("a", rest), output, call, back);
}

const lost: KvEntry = {
  client: 9,
  input: { kind: "put", key: "a", value: "lost", lease: 0n },
  callTime: 0,
  outcome: { kind: "unknown" },
};

test("checkStore accepts good runs, small and long", () => {
  for (let seed = 1; seed <= 30; seed++) {
    const { entries, history } = sampleRun({ seed, lost: 0.1 });
    expect(checkStore(entries, history)).toEqual([]);
  }
  const { entries, history } = sampleRun({ operations: 4000, keys: 30, reach: 20 });
  expect(checkStore(entries, history)).toEqual([]);
});

test("checkStore tells a search that ran out of steps from a good one", () => {
  const { entries, history } = sampleRun();
  const violations = checkStore(entries, history, { stepsMax: 30 });
  expect(rulesOf(violations)).toContain("store");
  expect(violations[0]!.message).toContain("timeout");
});

test("checkStore finds a stale read that all linear checks pass", () => {
  // The two reads overlap the write, but not each other: new, then old.
  const log = [
    { revision: 2, changes: [{ kind: "put", key: "a", value: "v2", lease: 0n }] },
  ] as const;
  const history = new RevisionHistory(log);
  const found = history.keyAt("a", 2)!;
  const newer = { kind: "range", revision: 2, keyValues: [found], count: 1, more: false } as const;
  const older = { kind: "range", revision: 1, keyValues: [], count: 0, more: false } as const;
  const write = put(1, 2, 0, 10);
  const good = [write, done(2, range("a"), older, 1, 2), done(3, range("a"), newer, 3, 4)];
  expect(checkStore(good, history)).toEqual([]);
  const bad = [write, done(2, range("a"), newer, 1, 2), done(3, range("a"), older, 3, 4)];
  expect(rulesOf(checkStore(bad, history))).toEqual(["time"]);
});

test("checkRevisions: unique, per client, in real time, without gaps", () => {
  expect(checkRevisions([put(1, 2, 0, 1), put(2, 3, 0, 1), read(1, 3, 2, 3)])).toEqual([]);
  const twice = [put(1, 2, 0, 5), put(2, 2, 0, 5)];
  expect(rulesOf(checkRevisions(twice))).toEqual(["unique"]);
  const back = [put(1, 2, 0, 1), put(2, 3, 0, 9), read(3, 3, 2, 3), read(3, 2, 3, 4)];
  expect(rulesOf(checkRevisions(back))).toEqual(["client"]);
  const own = [put(1, 2, 0, 1), read(1, 1, 1, 2)];
  expect(rulesOf(checkRevisions(own))).toEqual(["client"]);
  const stale = [put(1, 2, 0, 1), read(2, 1, 2, 3)];
  expect(rulesOf(checkRevisions(stale))).toEqual(["time"]);
  const rewritten = [read(1, 2, 0, 1), put(2, 2, 2, 3)];
  expect(rulesOf(checkRevisions(rewritten))).toEqual(["time"]);
  const early = [put(1, 3, 0, 1)];
  expect(rulesOf(checkRevisions(early))).toEqual(["gap"]);
  expect(checkRevisions([...early, lost])).toEqual([]);
});

test("checkRevisions lets serializable reads be behind, but believes what they saw", () => {
  const behind = [put(1, 2, 0, 1), read(2, 1, 2, 3, { serializable: true })];
  expect(checkRevisions(behind)).toEqual([]);
  const ahead = [put(1, 2, 0, 9), read(2, 2, 1, 2, { serializable: true }), read(3, 1, 3, 4)];
  expect(rulesOf(checkRevisions(ahead))).toEqual(["time"]);
});

/** The first entry that satisfies, with its answer changed. */
function withAnswer(
  { entries }: SampleRun,
  isFor: (output: KvResponse, input: KvRequest) => boolean,
  change: (output: never) => object,
): KvEntry[] {
  const place = entries.findIndex(
    ({ input, outcome }) => outcome.kind === "ok" && isFor(outcome.output, input),
  );
  if (place < 0) throw new Error("no entry to damage");
  const entry = entries[place]!;
  const { outcome } = entry as { outcome: { output: KvResponse } };
  const output = { ...outcome.output, ...change(outcome.output as never) };
  return entries.with(place, { ...entry, outcome: { ...outcome, output } } as KvEntry);
}

test("checkAnswers holds every kind of answer against the log", () => {
  const run = sampleRun({ operations: 1500 });
  const { history } = run;
  expect(checkAnswers(run.entries, history)).toEqual([]);
  const broken: Record<string, KvEntry[]> = {
    "old revision": withAnswer(
      run,
      (output, input) =>
        input.kind === "range" && input.revision > 0 && "count" in output && output.count > 0,
      () => ({ keyValues: [], count: 0 }),
    ),
    serializable: withAnswer(
      run,
      (output, input) => input.kind === "range" && input.serializable && "count" in output,
      ({ count }: { count: number }) => ({ count: count + 1 }),
    ),
    limit: withAnswer(
      run,
      (output) => output.kind === "range" && output.more,
      () => ({ more: false }),
    ),
    previous: withAnswer(
      run,
      (output) => output.kind === "put" && output.previous != null,
      () => ({ previous: null }),
    ),
    txn: withAnswer(
      run,
      (output) => output.kind === "txn" && output.succeeded,
      () => ({ responses: [] }),
    ),
    revoke: withAnswer(
      run,
      (output) => output.kind === "lease-revoke",
      () => ({ revision: 1e6 }),
    ),
  };
  for (const [name, entries] of Object.entries(broken)) {
    expect([name, rulesOf(checkAnswers(entries, history))]).toEqual([name, ["answer"]]);
  }
});

/** The log without one revision, or with it changed. */
function withLog(log: readonly RevisionChanges[], change: (log: RevisionChanges[]) => void) {
  const changed = [...log];
  change(changed);
  return new RevisionHistory(changed);
}

test("checkDurableAcks finds lost, changed and unasked writes", () => {
  const { entries, log } = sampleRun({ lost: 0.1, operations: 600 });
  expect(checkDurableAcks(entries, new RevisionHistory(log))).toEqual([]);
  const acknowledged = entries.findLast(
    ({ input, outcome }) =>
      input.kind === "put" && outcome.kind === "ok" && outcome.output.kind === "put",
  ) as { outcome: { output: { revision: number } } };
  const { revision } = acknowledged.outcome.output;
  const place = log.findIndex((each) => each.revision === revision);
  const cut = withLog(log, (all) => all.splice(place));
  expect(rulesOf(checkDurableAcks(entries, cut))).toEqual(["lost"]);
  const gap = withLog(log, (all) => all.splice(place, 1));
  expect(rulesOf(checkDurableAcks(entries, gap))).toContain("lost");
  expect(rulesOf(checkAnswers(entries, gap))).toContain("gap");
  const other = withLog(log, (all) => {
    const [put] = all[place]!.changes;
    all[place] = { revision, changes: [{ ...put!, value: "other" } as never] };
  });
  expect(rulesOf(checkDurableAcks(entries, other))).toContain("changed");
  const last = log.at(-1)!.revision;
  const extra = withLog(log, (all) => {
    all.push({ revision: last + 1, changes: [{ kind: "put", key: "k0", value: "?", lease: 0n }] });
  });
  expect(rulesOf(checkDurableAcks(entries, extra))).toEqual(["unasked"]);
});

test("checkDurableAcks allows an unknown write once, and finds the assignment that explains all", () => {
  const change = { kind: "put", key: "a", value: "lost", lease: 0n } as const;
  const once = [{ revision: 2, changes: [change] }];
  const twice = [...once, { revision: 3, changes: [change] }];
  expect(checkDurableAcks([lost], new RevisionHistory(once))).toEqual([]);
  expect(checkDurableAcks([lost], new RevisionHistory([]))).toEqual([]);
  expect(rulesOf(checkDurableAcks([lost], new RevisionHistory(twice)))).toEqual(["unasked"]);
  expect(checkDurableAcks([lost, lost], new RevisionHistory(twice))).toEqual([]);
  // The conditional one explains only the first: it must not be wasted on the second.
  const compare = {
    key: "a",
    rangeEnd: "",
    target: "version",
    result: "equal",
    operand: 0,
  } as const;
  const input = {
    kind: "txn",
    compares: [compare],
    success: [lost.input as never],
    failure: [],
  } as const;
  for (const entries of [
    [lost, { ...lost, input }],
    [{ ...lost, input }, lost],
  ]) {
    expect(checkDurableAcks(entries, new RevisionHistory(twice))).toEqual([]);
  }
});

test("perLease: a lease is used only between its grant and its revoke", () => {
  const lease = 5n;
  const grant = (call: number) =>
    done(1, { kind: "lease-grant", lease }, { kind: "lease-grant", revision: 1 }, call, call + 1);
  const revoke = (call: number) =>
    done(1, { kind: "lease-revoke", lease }, { kind: "lease-revoke", revision: 1 }, call, call + 1);
  const use = (call: number, error?: KvError) => {
    const output: KvResponse = error ? { kind: "error", error } : { kind: "put", revision: 2 };
    return done(1, { kind: "put", key: "a", value: "", lease }, output, call, call + 1);
  };
  const verdict = (...entries: KvEntry[]) => checkLinearizable(perLease(entries), leaseModel).kind;
  expect(verdict(grant(0), use(2), revoke(4), use(6, "lease-not-found"))).toBe("ok");
  expect(verdict(grant(0), revoke(2), use(4))).toBe("illegal");
  expect(verdict(grant(0), use(2, "lease-not-found"))).toBe("illegal");
  expect(verdict(grant(0), grant(2))).toBe("illegal");
  expect(verdict(use(0))).toBe("illegal");
  expect(verdict(revoke(0))).toBe("illegal");
  expect(verdict({ ...grant(0), outcome: { kind: "unknown" } }, use(2))).toBe("ok");
  const expiry: KvEntry = { ...revoke(0), outcome: { kind: "unknown" } };
  expect(verdict(grant(0), expiry, use(4), use(6, "lease-not-found"))).toBe("ok");
  expect(verdict(grant(0), expiry, use(4, "lease-not-found"), use(6))).toBe("illegal");
});

test("compactions: what is compacted stays so, and what is not can be read", () => {
  const compact = (revision: number, call: number, error?: KvError) => {
    const output: KvResponse = error ? { kind: "error", error } : { kind: "compact", revision: 50 };
    return done(1, { kind: "compact", revision }, output, call, call + 1);
  };
  const readAt = (revision: number, call: number, error?: KvError) => {
    if (!error) return read(1, 50, call, call + 1, { revision });
    return done(1, range("a", { revision }), { kind: "error", error }, call, call + 1);
  };
  const verdict = (...entries: KvEntry[]) =>
    checkLinearizable(compactions(entries), compactionModel).kind;
  expect(verdict(readAt(3, 0), compact(9, 2), readAt(9, 4), readAt(3, 6, "compacted"))).toBe("ok");
  expect(verdict(compact(9, 0), readAt(8, 2))).toBe("illegal");
  expect(verdict(compact(9, 0), readAt(9, 2, "compacted"))).toBe("illegal");
  expect(verdict(compact(9, 0), compact(9, 2))).toBe("illegal");
  expect(verdict(compact(9, 0), compact(9, 2, "compacted"))).toBe("ok");
  expect(verdict(compact(8, 0), compact(9, 2, "compacted"))).toBe("illegal");
  const unknown: KvEntry = { ...compact(9, 0), outcome: { kind: "unknown" } };
  expect(verdict(unknown, readAt(8, 2), readAt(8, 4, "compacted"))).toBe("ok");
  expect(verdict(unknown, readAt(8, 2, "compacted"), readAt(8, 4))).toBe("illegal");
});

test("RevisionHistory reads every older state, and refuses a log that cannot be", () => {
  const { history, log } = sampleRun({ seed: 3 });
  const keys = new Map<string, string>();
  for (const { revision, changes } of log) {
    for (const change of changes) {
      if (change.kind === "put") keys.set(change.key, change.value);
      else keys.delete(change.key);
    }
    const values = history.rangeAt("", "\0", revision).map(({ key, value }) => [key, value]);
    expect(values).toEqual([...keys].sort(([a], [b]) => (a < b ? -1 : 1)));
  }
  expect(history.gaps).toEqual([]);
  const change = { kind: "delete", key: "a" } as const;
  expect(() => new RevisionHistory([{ revision: 2, changes: [change] }])).toThrow("absent");
  const empty = { revision: 3, changes: [] };
  expect(() => new RevisionHistory([empty, empty])).toThrow("follows");
  expect(new RevisionHistory([empty]).gaps).toEqual([2]);
});
