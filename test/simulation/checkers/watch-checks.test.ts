// Good watches pass; each guarantee has watches that break it.
import { expect, test } from "bun:test";
import { sampleRun, sampleWatch } from "./sample-run.ts";
import {
  checkWatch,
  type RecordedWatch,
  type WatchedEvent,
  type WatchRequest,
  type WatchResponse,
} from "./watch-checks.ts";

const run = sampleRun({ operations: 300 });
const { history } = run;

const requests: Partial<WatchRequest>[] = [
  {},
  { key: "k1", rangeEnd: "" },
  { key: "k1", rangeEnd: "k4" },
  { startRevision: 0 },
  { startRevision: 50 },
  { startRevision: history.lastRevision + 5 },
  { filters: ["no-delete"] },
  { filters: ["no-put"], previous: false },
];

test("checkWatch accepts good watches", () => {
  for (let seed = 1; seed <= 20; seed++) {
    for (const request of requests) {
      expect(checkWatch(sampleWatch(run, request, seed), history)).toEqual([]);
    }
  }
});

type Responses = WatchResponse[];
type Batch = WatchResponse & { kind: "events" };

const isBatch = (response: WatchResponse): response is Batch => response.kind === "events";

/** The place of a batch in the middle that satisfies. */
function batchAt(responses: Responses, isFor: (batch: Batch) => boolean = () => true): number {
  const places = [...responses.keys()].filter((at) => {
    const response = responses[at]!;
    return isBatch(response) && isFor(response);
  });
  if (places.length === 0) throw new Error("no batch to damage");
  return places[Math.floor(places.length / 2)]!;
}

function changeEvent(
  responses: Responses,
  isFor: (event: WatchedEvent) => boolean,
  change: (event: WatchedEvent) => WatchedEvent,
): void {
  const at = batchAt(responses, ({ events }) => events.some(isFor));
  const batch = responses[at] as Batch;
  const place = batch.events.findIndex(isFor);
  responses[at] = { ...batch, events: batch.events.with(place, change(batch.events[place]!)) };
}

const revisionOf = ({ keyValue }: WatchedEvent) => keyValue.modRevision;
const isPut = ({ kind }: WatchedEvent) => kind === "put";

interface Damage {
  readonly rule: string;
  readonly request?: Partial<WatchRequest>;
  readonly damage: (responses: Responses) => void;
}

const damages: Record<string, Damage> = {
  "an event of another key": {
    rule: "filter",
    request: { key: "k1", rangeEnd: "k3" },
    damage: (responses) =>
      changeEvent(responses, isPut, (event) => ({
        ...event,
        keyValue: { ...event.keyValue, key: "k3" },
      })),
  },
  "an event of a kind that was filtered": {
    rule: "filter",
    request: { filters: ["no-delete"] },
    damage: (responses) => changeEvent(responses, isPut, (event) => ({ ...event, kind: "delete" })),
  },
  "two batches in the wrong order": {
    rule: "ordered",
    damage: (responses) => {
      const at = batchAt(responses);
      responses.push(responses.splice(at, 1)[0]!);
    },
  },
  "a txn's events in the wrong order": {
    rule: "ordered",
    damage: (responses) => {
      const at = batchAt(
        responses,
        ({ events: [one, two] }) => !!two && revisionOf(one!) === revisionOf(two),
      );
      const batch = responses[at] as Batch;
      const [one, two, ...rest] = batch.events;
      responses[at] = { ...batch, events: [two!, one!, ...rest] };
    },
  },
  "a header below its events": {
    rule: "ordered",
    damage: (responses) => {
      const at = batchAt(responses);
      responses[at] = { ...(responses[at] as Batch), revision: 1 };
    },
  },
  "a response after the cancellation": {
    rule: "ordered",
    damage: (responses) =>
      responses.splice(batchAt(responses), 0, { kind: "canceled", compactRevision: 3 }),
  },
  "an event that came twice": {
    rule: "unique",
    damage: (responses) => {
      const at = batchAt(responses);
      const batch = responses[at] as Batch;
      responses[at] = { ...batch, events: [...batch.events, batch.events.at(-1)!] };
    },
  },
  "a revision split over two responses": {
    rule: "atomic",
    damage: (responses) => {
      const at = batchAt(
        responses,
        ({ events }) =>
          !!events.at(-2) && revisionOf(events.at(-2)!) === revisionOf(events.at(-1)!),
      );
      const batch = responses[at] as Batch;
      const parts = [batch.events.slice(0, -1), batch.events.slice(-1)];
      responses.splice(at, 1, ...parts.map((events) => ({ ...batch, events })));
    },
  },
  "a batch that never came": {
    rule: "reliable",
    damage: (responses) => responses.splice(batchAt(responses), 1),
  },
  "an event that never came before a notice": {
    rule: "reliable",
    damage: (responses) => {
      responses.splice(responses.findLastIndex(isBatch));
      responses.push({ kind: "progress", revision: history.lastRevision });
    },
  },
  "a deletion that never came": {
    rule: "reliable",
    damage: (responses) => {
      const at = batchAt(
        responses,
        ({ events }) => events.length > 1 && events.some((event) => !isPut(event)),
      );
      const batch = responses[at] as Batch;
      responses[at] = { ...batch, events: batch.events.filter(isPut) };
    },
  },
  "an event with another value": {
    rule: "reliable",
    damage: (responses) =>
      changeEvent(responses, isPut, (event) => ({
        ...event,
        keyValue: { ...event.keyValue, value: "other" },
      })),
  },
  "an event after the end of the log": {
    rule: "reliable",
    damage: (responses) => {
      const last = (responses[batchAt(responses)] as Batch).events[0]!;
      const modRevision = history.lastRevision + 1;
      const event = { ...last, keyValue: { ...last.keyValue, modRevision } };
      responses.push({ kind: "events", revision: modRevision, events: [event], fragment: false });
    },
  },
  "a start too late": {
    rule: "resumable",
    request: { startRevision: 20 },
    damage: (responses) => responses.splice(0, 3),
  },
  "a notice before the events it covers": {
    rule: "bookmarkable",
    damage: (responses) =>
      responses.splice(batchAt(responses), 0, { kind: "progress", revision: history.lastRevision }),
  },
  "a notice at the revision of the next event": {
    rule: "bookmarkable",
    damage: (responses) => {
      const at = batchAt(responses);
      const revision = revisionOf((responses[at] as Batch).events[0]!);
      responses.splice(at, 0, { kind: "progress", revision });
    },
  },
  "a notice behind the events": {
    rule: "bookmarkable",
    damage: (responses) => responses.push({ kind: "progress", revision: 5 }),
  },
  "a notice that goes back": {
    rule: "bookmarkable",
    damage: (responses) => {
      const { lastRevision } = history;
      responses.push({ kind: "progress", revision: lastRevision });
      responses.push({ kind: "progress", revision: lastRevision - 1 });
    },
  },
  "a notice before the start": {
    rule: "bookmarkable",
    request: { startRevision: history.lastRevision + 5 },
    damage: (responses) => responses.push({ kind: "progress", revision: history.lastRevision }),
  },
  "another previous value": {
    rule: "prev-kv",
    damage: (responses) =>
      changeEvent(
        responses,
        ({ previous }) => previous !== null,
        (event) => ({
          ...event,
          previous: { ...event.previous!, value: "other" },
        }),
      ),
  },
  "a previous value of a new key": {
    rule: "prev-kv",
    damage: (responses) =>
      changeEvent(
        responses,
        ({ previous }) => previous === null,
        (event) => ({
          ...event,
          previous: event.keyValue,
        }),
      ),
  },
  "no previous value": {
    rule: "prev-kv",
    damage: (responses) =>
      changeEvent(
        responses,
        ({ previous }) => previous !== null,
        (event) => ({
          ...event,
          previous: null,
        }),
      ),
  },
  "a creation of what was there": {
    rule: "is-create",
    damage: (responses) =>
      changeEvent(
        responses,
        ({ kind, keyValue }) => kind === "put" && keyValue.version > 1,
        (event) => ({
          ...event,
          keyValue: { ...event.keyValue, version: 1, createRevision: revisionOf(event) },
        }),
      ),
  },
  "an update of what was not there": {
    rule: "is-create",
    damage: (responses) =>
      changeEvent(
        responses,
        ({ keyValue }) => keyValue.version === 1,
        (event) => ({ ...event, keyValue: { ...event.keyValue, version: 2 } }),
      ),
  },
};

for (const [name, { rule, request, damage }] of Object.entries(damages)) {
  test(`checkWatch (${rule}) rejects ${name}`, () => {
    for (let seed = 1; seed <= 5; seed++) {
      const watch = sampleWatch(run, request, seed);
      damage(watch.responses);
      expect(checkWatch(watch, history).map((violation) => violation.rule)).toContain(rule);
    }
  });
}

function cut(count: number, last: Partial<Batch> = {}): RecordedWatch {
  const watch = sampleWatch(run);
  const batches = watch.responses.filter(isBatch).slice(0, count);
  return { ...watch, responses: batches.with(-1, { ...batches.at(-1)!, ...last }) };
}

test("checkWatch asks nothing of a watch after it was cut, cancelled or compacted", () => {
  expect(checkWatch(cut(5), history)).toEqual([]);
  const canceled = cut(5);
  const responses = [...canceled.responses, { kind: "canceled", compactRevision: 90 } as const];
  expect(checkWatch({ ...canceled, responses }, history)).toEqual([]);
  expect(checkWatch({ ...canceled, responses: [] }, history)).toEqual([]);
});

test("checkWatch knows fragments: they may split a revision, and be cut off", () => {
  const watch = sampleWatch(run);
  const at = watch.responses.findIndex(
    (each) =>
      isBatch(each) && each.events.length > 1 && new Set(each.events.map(revisionOf)).size === 1,
  );
  const batch = watch.responses[at] as Batch;
  const one = { ...batch, events: batch.events.slice(0, 1), fragment: true };
  const two = { ...batch, events: batch.events.slice(1) };
  const before = watch.responses.slice(0, at);
  const whole = [...before, one, two, ...watch.responses.slice(at + 1)];
  expect(checkWatch({ ...watch, responses: whole }, history)).toEqual([]);
  expect(checkWatch({ ...watch, responses: [...before, one] }, history)).toEqual([]);
  const parted = [...before, one, { kind: "progress", revision: revisionOf(one.events[0]!) }, two];
  const rules = checkWatch({ ...watch, responses: parted as Responses }, history);
  expect(rules.map(({ rule }) => rule)).toContain("bookmarkable");
  const unsaid = [...before, { ...one, fragment: false }];
  const missing = checkWatch({ ...watch, responses: unsaid }, history);
  expect(missing.map(({ rule }) => rule)).toEqual(["reliable"]);
});

test("checkWatch tolerates a missing previous value below the compaction only", () => {
  const watch = sampleWatch(run);
  damages["no previous value"]!.damage(watch.responses);
  expect(checkWatch(watch, history, history.lastRevision)).toEqual([]);
  expect(checkWatch(watch, history, 2).map(({ rule }) => rule)).toEqual(["prev-kv"]);
});

test("checkWatch lets a watch from now on begin before its creation was told, then wants all", () => {
  const watch = sampleWatch(run, { startRevision: 0 });
  const told = { ...watch, createdRevision: watch.createdRevision + 2 };
  expect(checkWatch(told, history)).toEqual([]);
  const early = { ...watch, createdRevision: watch.createdRevision - 5 };
  expect(checkWatch(early, history).map(({ rule }) => rule)).toContain("resumable");
});
