import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import {
  decodeWatchResponse,
  encodeWatchResponse,
  ProtoWriter,
  type WatchResponseInit,
} from "../api/index.ts";
import { MemoryChangeSource } from "../mvcc/watch/change-source-model.ts";
import { type EventSelection, WatchHub } from "../mvcc/watch/index.ts";
import { WatchResponseEncoder } from "./watch-service-encoder.ts";

const header = (revision: number) => ({
  cluster_id: 0xfedcba9876543210n,
  member_id: 3n,
  revision,
  raft_term: 4,
});

const keyArbitrary = fc.uint8Array({ minLength: 1, maxLength: 200 });
const changesArbitrary = fc.uniqueArray(
  fc.record({ key: keyArbitrary, value: fc.uint8Array({ maxLength: 400 }), rewrite: fc.boolean() }),
  { minLength: 1, maxLength: 8, selector: ({ key }) => Buffer.from(key).toString("latin1") },
);

/** The selection that a watcher of everything gets for one transaction. */
function selectionOf(
  changes: readonly { key: Uint8Array; value: Uint8Array; rewrite: boolean }[],
  withPrevious: boolean,
): { source: MemoryChangeSource; events: EventSelection } {
  const source = new MemoryChangeSource();
  const before = changes.filter(({ rewrite }) => rewrite);
  source.commit(before);
  const hub = new WatchHub(source);
  let events: EventSelection | undefined;
  const stream = hub.openStream({
    writable: true,
    deliver: (_watcher, delivered) => {
      events = delivered;
    },
    compacted: () => {},
  });
  stream.create({
    key: new Uint8Array([0]),
    rangeEnd: new Uint8Array([0]),
    startRevision: 0,
    id: 0,
    dropPuts: false,
    dropDeletes: false,
    withPrevious,
    fragment: false,
    progressNotify: false,
  });
  const batch = source.commit(
    changes.map(({ key, value, rewrite }) =>
      rewrite && value.length % 2 === 0 ? { key } : { key, value },
    ),
  )!;
  hub.notify(batch);
  return { source, events: events! };
}

function generated(response: WatchResponseInit): Uint8Array {
  const writer = new ProtoWriter();
  encodeWatchResponse(writer, response);
  return writer.finish();
}

describe("WatchResponseEncoder", () => {
  test("writes what the generated encoder writes", () => {
    fc.assert(
      fc.property(
        changesArbitrary,
        fc.boolean(),
        fc.oneof(fc.constantFrom(0, 1, -1, 127, 128), fc.maxSafeInteger()),
        (changes, withPrevious, watchId) => {
          const { source, events } = selectionOf(changes, withPrevious);
          const encoder = new WatchResponseEncoder(header);
          const expected = generated({
            header: header(9),
            watch_id: watchId,
            events: source.log.at(-1)!.events.map((event) => ({
              type: event.type,
              kv: event.kv,
              prev_kv: withPrevious ? source.recordBefore(event.key, event.revision) : undefined,
            })),
          });
          expect(Buffer.from(encoder.whole(watchId, events, 9)).equals(expected)).toBeTrue();
        },
      ),
    );
  });

  test("fragments stay below the bound, lose nothing, and all but the last say so", () => {
    fc.assert(
      fc.property(
        changesArbitrary,
        fc.boolean(),
        fc.nat(2000),
        (changes, withPrevious, bytesMax) => {
          const { events } = selectionOf(changes, withPrevious);
          const encoder = new WatchResponseEncoder(header);
          const whole = decodeWatchResponse(encoder.whole(5, events, 9));
          const messages = encoder.fragments(5, events, 9, bytesMax);
          const responses = messages.map((message) => decodeWatchResponse(message));
          expect(responses.flatMap((response) => response.events)).toEqual(whole.events);
          responses.forEach((response, index) => {
            expect(response.fragment).toBe(index < responses.length - 1);
            expect(response.header).toEqual(whole.header);
            expect(response.watch_id).toBe(5);
            if (response.events.length > 1) expect(messages[index]!.length).toBeLessThan(bytesMax);
          });
        },
      ),
    );
  });

  test("is made once for all watchers with the same id", () => {
    const change = { key: Buffer.from("a"), value: Buffer.from("1"), rewrite: false };
    const { events } = selectionOf([change], false);
    const encoder = new WatchResponseEncoder(header);
    expect(encoder.whole(0, events, 9)).toBe(encoder.whole(0, events, 9));
    expect(encoder.whole(1, events, 9)).not.toBe(encoder.whole(0, events, 9));
    // Another header revision is another message.
    expect(decodeWatchResponse(encoder.whole(0, events, 10)).header!.revision).toBe(10);
  });
});
