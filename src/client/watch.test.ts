// Watches over connections that break at any event: each event is delivered once and in order.

import { expect, test } from "bun:test";
import fc from "fast-check";
import type { WatchRequest, WatchResponse } from "../api/index.ts";
import { utf8 } from "../base/bytes.ts";
import { BunClock } from "../io/bun/index.ts";
import { Client } from "./index.ts";
import { type FakeCall, FakeMember } from "./testing/fake-member.ts";

const clock = new BunClock();
const LAST_REVISION = 12;

/** Sends events from the asked revision on and breaks after as many responses as the plan says. */
class BreakingMember {
  readonly #plan: number[];
  creates = 0;

  constructor(plan: readonly number[]) {
    this.#plan = [...plan];
  }

  request(request: WatchRequest, call: FakeCall): void {
    const create = request.create_request;
    if (create === undefined) return;
    this.creates++;
    const budget = this.#plan.shift() ?? Number.POSITIVE_INFINITY;
    let sent = 0;
    const send = (message: Partial<WatchResponse> & { revision: number }): boolean => {
      if (sent++ >= budget) {
        call.cut();
        return false;
      }
      const { revision, ...rest } = message;
      call.send({ header: { revision }, watch_id: create.watch_id, ...rest });
      return true;
    };
    if (!send({ created: true, revision: 1 })) return;
    for (let revision = Math.max(2, create.start_revision); revision <= LAST_REVISION; revision++) {
      const kv = { key: utf8("k"), mod_revision: revision };
      if (!send({ revision, events: [{ type: 0, kv, prev_kv: undefined }] as never })) return;
    }
  }
}

test("every event once and in order, wherever the stream breaks", async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(fc.nat({ max: 5 }), { maxLength: 3 }), async (plan) => {
      const breaking = new BreakingMember(plan);
      const member = await FakeMember.start((_name, request, call) =>
        breaking.request(request, call),
      );
      const client = new Client({ clock, endpoints: [member.endpoint] });
      const revisions: number[] = [];
      let created = 0;
      try {
        for await (const response of client.watch.iterate({ key: utf8("k") })) {
          if (response.created) created++;
          for (const event of response.events) revisions.push(event.kv!.mod_revision);
          if (revisions.at(-1) === LAST_REVISION) break;
        }
      } finally {
        client.close();
        member.stop();
      }
      expect(revisions).toEqual(Array.from({ length: LAST_REVISION - 1 }, (_, i) => i + 2));
      expect(created).toBe(1);
      expect(client.watch.watcherCount).toBe(0);
    }),
    { numRuns: 15 },
  );
});

test("a cancellation ends one watcher and leaves the others", async () => {
  const member = await FakeMember.start((_name, request: WatchRequest, call) => {
    const create = request.create_request;
    if (create === undefined) return;
    const head = { header: { revision: 9 }, watch_id: create.watch_id };
    call.send({ ...head, created: true });
    if (create.start_revision === 1) {
      call.send({ ...head, canceled: true, compact_revision: 5 });
    } else call.send({ ...head, events: [{ kv: { key: utf8("k"), mod_revision: 9 } }] });
  });
  const client = new Client({ clock, endpoints: [member.endpoint] });
  const old: WatchResponse[] = [];
  for await (const response of client.watch.iterate({ key: utf8("k"), start_revision: 1 })) {
    old.push(response);
  }
  expect(old.map(({ created, canceled }) => [created, canceled])).toEqual([
    [true, false],
    [false, true],
  ]);
  expect(old[1]!.compact_revision).toBe(5);
  for await (const { events } of client.watch.iterate({ key: utf8("k"), start_revision: 9 })) {
    if (events.length > 0) break;
  }
  client.close();
  member.stop();
});
