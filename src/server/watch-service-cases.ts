/**
 * Watch conversations recorded from etcd 3.5.30, one table for two readers: the test of the watch service
 * runs it against our own service, a differential test may run it against a live etcd. Not part of the server.
 *
 * Every case starts with an empty store (revision 1) and one watch stream; `sees` are the responses that
 * arrive on the stream after a step, once it is quiet, one line each (see renderWatchResponse). The order of
 * lines of different watchers after one write is free.
 *
 * What was seen beyond the documents: a create is checked for a negative start revision, then permission (also
 * seen with authentication on: watch_id -1 and the text of the gRPC status), then an empty range, then a
 * duplicate id. A refused create uses up no automatic id. A watcher "from now on" (start revision 0) counts as
 * started for progress requests, one from the next revision does not. A watcher ended by compaction keeps its
 * id, and its stream gets no progress replies, until it is cancelled; that cancel is answered. Unknown filters
 * count as none. A watcher may have the id -1.
 */
import type { Event, KeyValue, WatchCreateRequestInit, WatchResponse } from "../api/index.ts";
import { utf8, utf8Text } from "../base/bytes.ts";
import { WATCH_HISTORY_CASES } from "./watch-service-history-cases.ts";

export type WatchStep = {
  readonly sees: readonly string[];
} & (
  | { readonly put: readonly [key: string, value: string] }
  /** A put of so many bytes "x". */
  | { readonly fill: readonly [key: string, valueBytes: number] }
  /** All in one transaction: [key, value] puts, [key] deletes. */
  | { readonly txn: readonly (readonly [string] | readonly [string, string])[] }
  | { readonly delete: string }
  | { readonly compact: number }
  | { readonly create: WatchCreateRequestInit }
  | { readonly cancel: number }
  | { readonly progress: true }
);

export interface WatchCase {
  readonly name: string;
  readonly steps: readonly WatchStep[];
}

const a = utf8("a");
const b = utf8("b");
const c = utf8("c");
const openEnd = new Uint8Array([0]);

function renderKeyValue(kv: KeyValue): string {
  const { length } = kv.value;
  const value = length > 32 ? `=<${length} bytes>` : length > 0 ? `=${utf8Text(kv.value)}` : "";
  return `${utf8Text(kv.key)}${value}(${kv.create_revision}/${kv.mod_revision}/${kv.version})`;
}

function renderEvent(event: Event): string {
  const kv = event.kv === undefined ? "none" : renderKeyValue(event.kv);
  const before = event.prev_kv === undefined ? "" : ` was ${renderKeyValue(event.prev_kv)}`;
  return `${event.type === 0 ? "PUT" : "DEL"} ${kv}${before}`;
}

/** `#watch_id @header.revision flags | event | event`, an event's numbers are create/mod/version. */
export function renderWatchResponse(response: WatchResponse): string {
  const words = [`#${response.watch_id}`, `@${response.header?.revision ?? "none"}`];
  if (response.created) words.push("created");
  if (response.canceled) words.push("canceled");
  if (response.compact_revision !== 0) words.push(`compacted=${response.compact_revision}`);
  if (response.cancel_reason !== "") words.push(`"${response.cancel_reason}"`);
  if (response.fragment) words.push("fragment");
  return [words.join(" "), ...response.events.map(renderEvent)].join(" | ");
}

export const WATCH_CASES: readonly WatchCase[] = [
  {
    name: "now: only later changes arrive",
    steps: [
      { put: ["a", "1"], sees: [] },
      { create: { key: a }, sees: ["#0 @2 created"] },
      { put: ["a", "2"], sees: ["#0 @3 | PUT a=2(2/3/2)"] },
      { put: ["b", "2"], sees: [] },
      { delete: "a", sees: ["#0 @5 | DEL a(0/5/0)"] },
      { put: ["a", "3"], sees: ["#0 @6 | PUT a=3(6/6/1)"] },
    ],
  },
  {
    name: "history and prev_kv: one response for all revisions, header is the store's",
    steps: [
      { put: ["a", "1"], sees: [] },
      { put: ["a", "2"], sees: [] },
      { put: ["b", "2"], sees: [] },
      { delete: "a", sees: [] },
      { put: ["c", "3"], sees: [] },
      {
        create: { key: a, start_revision: 1, prev_kv: true },
        sees: [
          "#0 @6 created",
          "#0 @6 | PUT a=1(2/2/1) | PUT a=2(2/3/2) was a=1(2/2/1) | DEL a(0/5/0) was a=2(2/3/2)",
        ],
      },
      { put: ["a", "9"], sees: ["#0 @7 | PUT a=9(7/7/1)"] },
      { put: ["a", "10"], sees: ["#0 @8 | PUT a=10(7/8/2) was a=9(7/7/1)"] },
    ],
  },
  {
    name: "prev_kv is absent where its revision is compacted",
    steps: [
      { put: ["a", "1"], sees: [] },
      { put: ["a", "2"], sees: [] },
      { put: ["a", "3"], sees: [] },
      { compact: 3, sees: [] },
      {
        create: { key: a, start_revision: 3, prev_kv: true },
        sees: ["#0 @4 created", "#0 @4 | PUT a=2(2/3/2) | PUT a=3(2/4/3) was a=2(2/3/2)"],
      },
    ],
  },
  {
    name: "duplicate id, negative id, automatic ids skip what is in use and are not reused",
    steps: [
      { create: { key: a, watch_id: 1 }, sees: ["#1 @1 created"] },
      {
        create: { key: a, watch_id: 1 },
        sees: ['#-1 @1 created canceled "mvcc: duplicate watch ID provided on the WatchStream"'],
      },
      { create: { key: a }, sees: ["#0 @1 created"] },
      { create: { key: a }, sees: ["#2 @1 created"] },
      { create: { key: a, watch_id: -7 }, sees: ["#-7 @1 created"] },
      { create: { key: a, watch_id: -1 }, sees: ["#-1 @1 created"] },
      { cancel: 0, sees: ["#0 @1 canceled"] },
      { create: { key: a }, sees: ["#3 @1 created"] },
      {
        create: { key: a, watch_id: 1, start_revision: -3 },
        sees: ['#-1 @1 created canceled "etcdserver: mvcc: required revision has been compacted"'],
      },
      {
        put: ["a", "1"],
        sees: [
          "#1 @2 | PUT a=1(2/2/1)",
          "#3 @2 | PUT a=1(2/2/1)",
          "#2 @2 | PUT a=1(2/2/1)",
          "#-7 @2 | PUT a=1(2/2/1)",
          "#-1 @2 | PUT a=1(2/2/1)",
        ],
      },
    ],
  },
  {
    name: "compacted start: created, then canceled; the id stays reserved until it is canceled",
    steps: [
      { put: ["a", "1"], sees: [] },
      { put: ["a", "2"], sees: [] },
      { put: ["a", "3"], sees: [] },
      { compact: 3, sees: [] },
      {
        create: { key: a, start_revision: 2, watch_id: 5 },
        sees: ["#5 @4 created", "#5 @0 canceled compacted=3"],
      },
      {
        create: { key: a, watch_id: 5 },
        sees: ['#-1 @4 created canceled "mvcc: duplicate watch ID provided on the WatchStream"'],
      },
      { create: { key: a }, sees: ["#0 @4 created"] },
      { progress: true, sees: [] },
      { cancel: 5, sees: ["#5 @4 canceled"] },
      { progress: true, sees: ["#-1 @4"] },
      { create: { key: a, watch_id: 5 }, sees: ["#5 @4 created"] },
    ],
  },
  {
    name: "start at the compacted revision sees its tombstone",
    steps: [
      { put: ["a", "1"], sees: [] },
      { put: ["b", "1"], sees: [] },
      { delete: "a", sees: [] },
      { put: ["b", "2"], sees: [] },
      { compact: 4, sees: [] },
      {
        create: { key: a, range_end: openEnd, start_revision: 4, prev_kv: true },
        sees: ["#0 @5 created", "#0 @5 | DEL a(0/4/0) | PUT b=2(3/5/2) was b=1(3/3/1)"],
      },
    ],
  },
  {
    name: "negative start revision",
    steps: [
      {
        create: { key: a, start_revision: -1 },
        sees: ['#-1 @1 created canceled "etcdserver: mvcc: required revision has been compacted"'],
      },
      { put: ["a", "1"], sees: [] },
      { create: { key: a }, sees: ["#0 @2 created"] },
    ],
  },
  {
    name: "future start: nothing earlier, no progress before it is reached",
    steps: [
      { create: { key: a, start_revision: 4 }, sees: ["#0 @1 created"] },
      { progress: true, sees: [] },
      { put: ["a", "2"], sees: [] },
      { put: ["a", "3"], sees: [] },
      { progress: true, sees: [] },
      { put: ["a", "4"], sees: ["#0 @4 | PUT a=4(2/4/3)"] },
      { progress: true, sees: ["#-1 @4"] },
    ],
  },
  {
    name: "start at the next revision gets no progress reply yet",
    steps: [
      { put: ["a", "1"], sees: [] },
      { create: { key: a, start_revision: 3 }, sees: ["#0 @2 created"] },
      { progress: true, sees: [] },
      { put: ["b", "1"], sees: [] },
      { progress: true, sees: ["#-1 @3"] },
    ],
  },
  {
    name: "start from now (revision 0) and progress",
    steps: [
      { put: ["a", "1"], sees: [] },
      { create: { key: a }, sees: ["#0 @2 created"] },
      { progress: true, sees: ["#-1 @2"] },
      { put: ["b", "1"], sees: [] },
      { progress: true, sees: ["#-1 @3"] },
    ],
  },
  {
    name: "progress: no watcher, then one caught up, then a future one beside it",
    steps: [
      { put: ["a", "1"], sees: [] },
      { progress: true, sees: [] },
      { create: { key: a, start_revision: 1 }, sees: ["#0 @2 created", "#0 @2 | PUT a=1(2/2/1)"] },
      { progress: true, sees: ["#-1 @2"] },
      { create: { key: a, start_revision: 100 }, sees: ["#1 @2 created"] },
      { progress: true, sees: [] },
      { cancel: 1, sees: ["#1 @2 canceled"] },
      { progress: true, sees: ["#-1 @2"] },
    ],
  },
  {
    name: "filters",
    steps: [
      { create: { key: a, filters: [0] }, sees: ["#0 @1 created"] },
      { create: { key: a, filters: [1], prev_kv: true }, sees: ["#1 @1 created"] },
      { create: { key: a, filters: [0, 1] }, sees: ["#2 @1 created"] },
      { create: { key: a, filters: [7], prev_kv: true }, sees: ["#3 @1 created"] },
      { create: { key: a, filters: [0], prev_kv: true }, sees: ["#4 @1 created"] },
      { put: ["a", "1"], sees: ["#3 @2 | PUT a=1(2/2/1)", "#1 @2 | PUT a=1(2/2/1)"] },
      {
        delete: "a",
        sees: [
          "#4 @3 | DEL a(0/3/0) was a=1(2/2/1)",
          "#0 @3 | DEL a(0/3/0)",
          "#3 @3 | DEL a(0/3/0) was a=1(2/2/1)",
        ],
      },
    ],
  },
  {
    name: "ranges: empty key, open end, prefix, end at or before the key",
    steps: [
      { create: { watch_id: 10 }, sees: ["#10 @1 created"] },
      { create: { range_end: openEnd, watch_id: 11 }, sees: ["#11 @1 created"] },
      { create: { key: b, range_end: openEnd, watch_id: 12 }, sees: ["#12 @1 created"] },
      { create: { key: a, range_end: b, watch_id: 13 }, sees: ["#13 @1 created"] },
      {
        create: { key: b, range_end: a, watch_id: 14 },
        sees: ['#-1 @1 created canceled "mvcc: watcher range is empty"'],
      },
      {
        create: { key: b, range_end: b, watch_id: 15 },
        sees: ['#-1 @1 created canceled "mvcc: watcher range is empty"'],
      },
      {
        create: { key: b, range_end: a, start_revision: -1, watch_id: 10 },
        sees: ['#-1 @1 created canceled "etcdserver: mvcc: required revision has been compacted"'],
      },
      { put: ["a", "1"], sees: ["#11 @2 | PUT a=1(2/2/1)", "#13 @2 | PUT a=1(2/2/1)"] },
      {
        put: ["\u0000", "1"],
        sees: ["#10 @3 | PUT \u0000=1(3/3/1)", "#11 @3 | PUT \u0000=1(3/3/1)"],
      },
      { put: ["b", "1"], sees: ["#11 @4 | PUT b=1(4/4/1)", "#12 @4 | PUT b=1(4/4/1)"] },
    ],
  },
  {
    name: "a refused automatic create uses no id",
    steps: [
      {
        create: { key: b, range_end: a },
        sees: ['#-1 @1 created canceled "mvcc: watcher range is empty"'],
      },
      {
        create: { key: a, start_revision: -5 },
        sees: ['#-1 @1 created canceled "etcdserver: mvcc: required revision has been compacted"'],
      },
      { create: { key: a }, sees: ["#0 @1 created"] },
    ],
  },
  {
    name: "one transaction is one response, events in order of the operations",
    steps: [
      { put: ["c", "0"], sees: [] },
      { create: { key: a, range_end: openEnd, prev_kv: true }, sees: ["#0 @2 created"] },
      {
        txn: [["b", "1"], ["a", "1"], ["c"]],
        sees: ["#0 @3 | PUT b=1(3/3/1) | PUT a=1(3/3/1) | DEL c(0/3/0) was c=0(2/2/1)"],
      },
      {
        create: { key: a, range_end: c, start_revision: 1 },
        sees: ["#1 @3 created", "#1 @3 | PUT b=1(3/3/1) | PUT a=1(3/3/1)"],
      },
      {
        txn: [["b"], ["a", "2"]],
        sees: [
          "#0 @4 | DEL b(0/4/0) was b=1(3/3/1) | PUT a=2(3/4/2) was a=1(3/3/1)",
          "#1 @4 | DEL b(0/4/0) | PUT a=2(3/4/2)",
        ],
      },
    ],
  },
  {
    name: "cancel: answered once, unknown ids in silence",
    steps: [
      { cancel: 3, sees: [] },
      { create: { key: a }, sees: ["#0 @1 created"] },
      { put: ["a", "1"], sees: ["#0 @2 | PUT a=1(2/2/1)"] },
      { cancel: 0, sees: ["#0 @2 canceled"] },
      { cancel: 0, sees: [] },
      { put: ["a", "2"], sees: [] },
      { progress: true, sees: [] },
      { cancel: -1, sees: [] },
    ],
  },
  {
    name: "lone delete of nothing makes no event",
    steps: [
      { create: { key: a, range_end: openEnd }, sees: ["#0 @1 created"] },
      { delete: "x", sees: [] },
      { progress: true, sees: ["#-1 @1"] },
    ],
  },
  {
    name: "an empty range is noticed before a duplicate id",
    steps: [
      { create: { key: a, watch_id: 4 }, sees: ["#4 @1 created"] },
      {
        create: { key: b, range_end: a, watch_id: 4 },
        sees: ['#-1 @1 created canceled "mvcc: watcher range is empty"'],
      },
      { create: { key: a, watch_id: 12884901888 }, sees: ["#12884901888 @1 created"] },
    ],
  },
  ...WATCH_HISTORY_CASES,
];
