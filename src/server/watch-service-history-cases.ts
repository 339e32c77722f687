/** The part of the recorded table that is about history, compaction and fragments: see watch-service-cases.ts. */
import { utf8 } from "../base/bytes.ts";
import type { WatchCase } from "./watch-service-cases.ts";

const a = utf8("a");
const b = utf8("b");
const openEnd = new Uint8Array([0]);

export const WATCH_HISTORY_CASES: readonly WatchCase[] = [
  {
    name: "history through filters: what is left in one response, nothing when nothing is left",
    steps: [
      { put: ["a", "1"], sees: [] },
      { put: ["a", "2"], sees: [] },
      { delete: "a", sees: [] },
      {
        create: { key: a, start_revision: 1, filters: [1], prev_kv: true },
        sees: ["#0 @4 created", "#0 @4 | PUT a=1(2/2/1) | PUT a=2(2/3/2) was a=1(2/2/1)"],
      },
      { create: { key: a, start_revision: 1, filters: [0, 1] }, sees: ["#1 @4 created"] },
      {
        create: { key: a, start_revision: 1, filters: [0], prev_kv: true },
        sees: ["#2 @4 created", "#2 @4 | DEL a(0/4/0) was a=2(2/3/2)"],
      },
      { create: { key: b, start_revision: 1 }, sees: ["#3 @4 created"] },
      { progress: true, sees: ["#-1 @4"] },
    ],
  },
  {
    name: "compaction does not touch watchers that are up to date",
    steps: [
      { put: ["a", "1"], sees: [] },
      { put: ["a", "2"], sees: [] },
      {
        create: { key: a, start_revision: 2 },
        sees: ["#0 @3 created", "#0 @3 | PUT a=1(2/2/1) | PUT a=2(2/3/2)"],
      },
      { create: { key: a }, sees: ["#1 @3 created"] },
      { create: { key: a, start_revision: 5, prev_kv: true }, sees: ["#2 @3 created"] },
      { compact: 3, sees: [] },
      { progress: true, sees: [] },
      { put: ["a", "3"], sees: ["#1 @4 | PUT a=3(2/4/3)", "#0 @4 | PUT a=3(2/4/3)"] },
      {
        delete: "a",
        sees: [
          "#0 @5 | DEL a(0/5/0)",
          "#1 @5 | DEL a(0/5/0)",
          "#2 @5 | DEL a(0/5/0) was a=3(2/4/3)",
        ],
      },
      { progress: true, sees: ["#-1 @5"] },
    ],
  },
  {
    name: "start at the current revision",
    steps: [
      { put: ["a", "1"], sees: [] },
      { create: { key: a, start_revision: 2 }, sees: ["#0 @2 created", "#0 @2 | PUT a=1(2/2/1)"] },
      { create: { key: b, start_revision: 2 }, sees: ["#1 @2 created"] },
      { progress: true, sees: ["#-1 @2"] },
    ],
  },
  {
    name: "fragments of history, and the same without",
    steps: [
      { fill: ["a", 1048576], sees: [] },
      { fill: ["a", 1048576], sees: [] },
      { put: ["a", "1"], sees: [] },
      { fill: ["b", 1048576], sees: [] },
      {
        create: { key: a, range_end: openEnd, start_revision: 1, fragment: true },
        sees: [
          "#0 @5 created",
          "#0 @5 fragment | PUT a=<1048576 bytes>(2/2/1)",
          "#0 @5 fragment | PUT a=<1048576 bytes>(2/3/2) | PUT a=1(2/4/3)",
          "#0 @5 | PUT b=<1048576 bytes>(5/5/1)",
        ],
      },
      {
        create: { key: a, range_end: openEnd, start_revision: 1 },
        sees: [
          "#1 @5 created",
          "#1 @5 | PUT a=<1048576 bytes>(2/2/1) | PUT a=<1048576 bytes>(2/3/2) | PUT a=1(2/4/3) | PUT b=<1048576 bytes>(5/5/1)",
        ],
      },
      {
        txn: [["a"], ["b"], ["c", "1"]],
        sees: [
          "#0 @6 | DEL a(0/6/0) | DEL b(0/6/0) | PUT c=1(6/6/1)",
          "#1 @6 | DEL a(0/6/0) | DEL b(0/6/0) | PUT c=1(6/6/1)",
        ],
      },
    ],
  },
  {
    name: "fragments of one transaction with prev_kv",
    steps: [
      { fill: ["a", 1048576], sees: [] },
      { fill: ["b", 1048576], sees: [] },
      {
        create: { key: a, range_end: openEnd, prev_kv: true, fragment: true },
        sees: ["#0 @3 created"],
      },
      {
        txn: [["a"], ["b"], ["c", "1"]],
        sees: [
          "#0 @4 fragment | DEL a(0/4/0) was a=<1048576 bytes>(2/2/1)",
          "#0 @4 | DEL b(0/4/0) was b=<1048576 bytes>(3/3/1) | PUT c=1(4/4/1)",
        ],
      },
    ],
  },
];
