import { expect, test } from "bun:test";
import {
  decodeRangeRequest,
  encodeKeyValue,
  encodeRangeRequest,
  ProtoWriter,
  type RangeResponseInit,
  type UnaryCall,
} from "../api/index.ts";
import { utf8, utf8Text } from "../base/bytes.ts";
import type { Store } from "../mvcc/index.ts";
import type { TxnView } from "../state-machine/index.ts";
import type { Background, BackgroundTask } from "./background.ts";
import type { HeaderFactory } from "./response-header.ts";
import { SlicedRange } from "./sliced-range.ts";

const KEYS = 2500;

/** A store in which key number i is written at revision i + 2; nothing is ever changed. */
class GrowingStore {
  revision = KEYS + 1;
  readonly #records: Uint8Array[] = [];

  #record(index: number): Uint8Array {
    const writer = new ProtoWriter();
    encodeKeyValue(writer, { key: this.#key(index), mod_revision: index + 2, version: 1 });
    return writer.finish();
  }

  #key(index: number): Uint8Array {
    return utf8(`k${String(index).padStart(6, "0")}`);
  }

  readonly view: TxnView = {
    revision: () => this.revision,
    compactRevision: () => -1,
    leaseExists: () => false,
    range: (key, _rangeEnd, { revision, limit, countOnly }) => {
      const total = (revision > 0 ? revision : this.revision) - 1;
      while (this.#records.length < total) this.#records.push(this.#record(this.#records.length));
      let first = 0;
      while (first < total && Buffer.compare(this.#key(first), key) < 0) first++;
      const last = limit > 0 ? Math.min(total, first + limit) : total;
      return { kvs: countOnly ? [] : this.#records.slice(first, last), count: total - first };
    },
  };
}

test("a write between slices is neither in the answer nor in its header's revision", () => {
  const store = new GrowingStore();
  const tasks: BackgroundTask[] = [];
  const sliced = new SlicedRange({
    store: { revision: () => store.revision } as unknown as Store,
    view: store.view,
    background: { add: (task: BackgroundTask) => tasks.push(task) } as unknown as Background,
    headers: { header: (revision: number) => ({ revision }) } as unknown as HeaderFactory,
  });
  for (const revision of [0, 1200]) {
    const writer = new ProtoWriter();
    encodeRangeRequest(writer, { key: utf8("k"), range_end: utf8("l"), revision });
    const request = decodeRangeRequest(writer.finish());
    expect(sliced.isLong(request)).toBe(true);
    const begun = store.revision;
    const answers: RangeResponseInit[] = [];
    const succeed = (answer: RangeResponseInit) => answers.push(answer);
    const call = { aborted: false, succeed } as unknown as UnaryCall<RangeResponseInit>;
    sliced.start(request, call);
    const task = tasks.pop()!;
    while (task()) store.revision++;
    expect(store.revision).toBeGreaterThan(begun);
    // A client goes on with a watch from the revision after the header's (kube-apiserver lists and watches so).
    expect(answers[0]!.header!.revision).toBe(begun);
    expect(answers[0]!.count).toBe((revision || begun) - 1);
    expect(answers[0]!.kvs!.length).toBe((revision || begun) - 1);
    expect(utf8Text(answers[0]!.kvs![0] as Uint8Array)).toContain("k000000");
  }
});

test("only a few long reads run at once, the others wait in turn, and too many are refused", () => {
  const store = new GrowingStore();
  const tasks: BackgroundTask[] = [];
  const sliced = new SlicedRange({
    store: { revision: () => store.revision } as unknown as Store,
    view: store.view,
    background: { add: (task: BackgroundTask) => tasks.push(task) } as unknown as Background,
    headers: { header: (revision: number) => ({ revision }) } as unknown as HeaderFactory,
  });
  const writer = new ProtoWriter();
  // At this revision there is but one key: the test is about turns, not pages.
  encodeRangeRequest(writer, { key: utf8("k"), range_end: utf8("l"), revision: 2 });
  const request = decodeRangeRequest(writer.finish());
  const answered: number[] = [];
  const failed: number[] = [];
  const calls = Array.from({ length: 1100 }, (_, i) => ({
    aborted: false,
    succeed: () => answered.push(i),
    fail: () => failed.push(i),
  }));
  const start = (i: number): void =>
    sliced.start(request, calls[i] as unknown as UnaryCall<RangeResponseInit>);
  for (let i = 0; i < 1056; i++) start(i);
  expect(tasks.length).toBe(32);
  expect(failed).toEqual([]);
  start(1056);
  expect(failed).toEqual([1056]);
  // Who went away makes room, waiting or running.
  calls[3]!.aborted = true;
  calls[40]!.aborted = true;
  start(1057);
  expect(failed).toEqual([1056]);
  let runningMax = 0;
  while (tasks.length > 0) {
    runningMax = Math.max(runningMax, tasks.length);
    const task = tasks.shift()!;
    if (task()) tasks.push(task);
  }
  expect(runningMax).toBe(32);
  const expected = calls.map((_, i) => i).filter((i) => i < 1058 && ![3, 40, 1056].includes(i));
  expect(answered).toEqual(expected);
});
