/** Any message that raft could send from member A to member B. */
import fc from "fast-check";
import type { Message } from "../../raft/index.ts";

export const FROM = 0xfedc_ba98_7654_3210n;
export const TO = 1n;

const number = fc.oneof(
  fc.nat(),
  fc.integer({ min: 0, max: Number.MAX_SAFE_INTEGER }),
  fc.constantFrom(0, 23, 24, 255, 256, 65_535, 65_536, 2 ** 32 - 1, 2 ** 32, 2 ** 53 - 1),
);
const id = fc.bigInt({ min: 1n, max: 2n ** 64n - 1n });
const ids = fc.uniqueArray(id, { maxLength: 8 });
const data = fc.uint8Array({ maxLength: 300 });
const header = { from: fc.constant(FROM), to: fc.constant(TO), term: number };
const mark = { commit: number, commitTerm: number };
const last = { lastIndex: number, lastTerm: number };
const kind = <Kind extends string>(name: Kind) => fc.constant(name);

const append = fc
  .record({
    kind: kind("append"),
    ...header,
    previousIndex: fc.integer({ min: 0, max: 2 ** 52 }),
    previousTerm: number,
    commit: number,
    entries: fc.array(fc.record({ term: number, kind: fc.nat(255), data }), { maxLength: 20 }),
  })
  .map((message) => ({
    ...message,
    entries: message.entries.map((entry, i) => ({
      ...entry,
      index: message.previousIndex + 1 + i,
    })),
  }));

const snapshot = fc.record({
  kind: kind("snapshot"),
  ...header,
  snapshot: fc.record({
    index: number,
    term: number,
    configuration: ids.map((all) => ({
      voters: all.filter((_, i) => i % 3 !== 0),
      learners: all.filter((_, i) => i % 3 === 0),
    })),
  }),
});

export const arbitraryMessage: fc.Arbitrary<Message> = fc.oneof(
  append,
  snapshot,
  fc.record({ kind: kind("pre-vote"), ...header, ...mark, ...last }),
  fc.record({ kind: kind("vote"), ...header, ...mark, ...last, transfer: fc.boolean() }),
  fc.record({ kind: kind("pre-vote-response"), ...header, ...mark, granted: fc.boolean() }),
  fc.record({ kind: kind("vote-response"), ...header, ...mark, granted: fc.boolean() }),
  fc.record({ kind: kind("append-accepted"), ...header, index: number }),
  fc.record({
    kind: kind("append-rejected"),
    ...header,
    index: number,
    hintIndex: number,
    hintTerm: number,
  }),
  fc.record({
    kind: kind("heartbeat"),
    ...header,
    commit: number,
    readRound: number,
    tick: number,
  }),
  fc.record({ kind: kind("heartbeat-response"), ...header, readRound: number, tick: number }),
  fc.record({ kind: kind("term-notice"), ...header }),
  fc.record({ kind: kind("timeout-now"), ...header }),
  fc.record({ kind: kind("read-index"), ...header, id: number }),
  fc.record({ kind: kind("read-index-response"), ...header, id: number, index: number }),
  fc.record({ kind: kind("transfer-leadership"), ...header, target: id }),
  fc.record({
    kind: kind("propose"),
    ...header,
    proposals: fc.array(fc.record({ kind: fc.nat(255), data }), { maxLength: 20 }),
  }),
);
