// Watch with every option. Responses of synced watchers are compared one by one; of watchers that
// catch up only the events, because etcd divides history into responses as its timing has it.

import { type Cases, differentialArea } from "./harness.ts";
import { okOf, type Side } from "./side.ts";
import { isOf } from "./watch-session.ts";

function whole(side: Side): { key: string; range_end: string } {
  return { key: side.prefix, range_end: `${side.prefix.slice(0, -1)}0` };
}

async function puts(side: Side, ...names: string[]): Promise<void> {
  for (const name of names) await side.put(side.key(name), `value of ${name}`);
}

const liveCases: Cases = {
  "one key": async (side) => {
    const watch = side.watch();
    const id = await watch.create({ key: side.key("a") });
    await puts(side, "a", "b", "a");
    await side.remove({ key: side.key("a") });
    await side.remove({ key: side.key("a") });
    await puts(side, "a");
    await watch.responses(id, 4);
    watch.rest();
  },
  "a range": async (side) => {
    const watch = side.watch();
    const id = await watch.create({ key: side.key("b"), range_end: side.key("d") });
    await puts(side, "a", "b", "c", "d", "b\0", "c\xff");
    await side.remove(whole(side));
    await watch.responses(id, 5);
  },
  "from a key on, and everything": async (side) => {
    const watch = side.watch();
    const from = await watch.create({ key: side.key("b"), range_end: "\0" });
    const everything = await watch.create({ key: "\0", range_end: "\0" });
    const empty = await watch.create({ range_end: "\0" });
    await puts(side, "a", "b");
    await watch.responses(from, 1);
    await watch.responses(everything, 2);
    await watch.responses(empty, 2);
  },
  "an empty key is the zero byte": async (side) => {
    const watch = side.watch();
    const id = await watch.create({});
    await side.put("\0", "zero");
    await watch.responses(id, 1);
    await side.remove({ key: "\0" });
    await watch.responses(id, 1);
  },
  "a txn is one response": async (side) => {
    const watch = side.watch();
    const id = await watch.create({ ...whole(side), prev_kv: true });
    await puts(side, "b");
    await side.txn({
      success: [
        { request_put: { key: side.key("c"), value: "1" } },
        { request_put: { key: side.key("a"), value: "2" } },
        { request_delete_range: { key: side.key("b") } },
      ],
    });
    await side.txn({ success: [{ request_range: { key: side.key("a") } }] });
    await side.remove({ key: side.key("nothing") });
    await side.remove(whole(side));
    await watch.responses(id, 3);
    watch.rest();
  },
  "put and delete of one key in one txn": async (side) => {
    const watch = side.watch();
    const id = await watch.create({ ...whole(side), prev_kv: true });
    await side.txn({
      success: [
        { request_txn: { success: [{ request_put: { key: side.key("a"), value: "1" } }] } },
        { request_txn: { success: [{ request_delete_range: { key: side.key("a") } }] } },
      ],
    });
    await puts(side, "z");
    await watch.responses(id, 2);
  },
  prev_kv: async (side) => {
    const watch = side.watch();
    const id = await watch.create({ key: side.key("a"), prev_kv: true });
    const without = await watch.create({ key: side.key("a") });
    await puts(side, "a", "a");
    await side.remove({ key: side.key("a") });
    await puts(side, "a");
    await watch.responses(id, 4);
    await watch.responses(without, 4);
  },
  filters: async (side) => {
    const watch = side.watch();
    const noPut = await watch.create({ ...whole(side), filters: ["NOPUT"] });
    const noDelete = await watch.create({ ...whole(side), filters: ["NODELETE"] });
    const neither = await watch.create({ ...whole(side), filters: ["NOPUT", "NODELETE"] });
    const twice = await watch.create({ ...whole(side), filters: ["NOPUT", "NOPUT"] });
    const odd = await watch.create({ ...whole(side), filters: [7] });
    await puts(side, "a");
    await side.remove({ key: side.key("a") });
    await side.txn({
      success: [
        { request_put: { key: side.key("b"), value: "1" } },
        { request_delete_range: { key: side.key("a") } },
      ],
    });
    await side.remove({ key: side.key("b") });
    await watch.responses(noPut, 2);
    await watch.responses(noDelete, 2);
    await watch.responses(twice, 2);
    await watch.responses(odd, 4);
    await watch.cancel(neither);
    watch.rest();
  },
  "leases of keys in events": async (side) => {
    const watch = side.watch();
    const id = await watch.create({ ...whole(side), prev_kv: true });
    const lease = String(okOf(await side.call("Lease", "LeaseGrant", { TTL: 600 })).ID);
    for (const name of ["b", "a"]) await side.put(side.key(name), name, { lease });
    await side.call("Lease", "LeaseRevoke", { ID: lease });
    await watch.responses(id, 3);
  },
};

const identityCases: Cases = {
  "ids the server takes": async (side) => {
    const watch = side.watch();
    for (let count = 0; count < 3; count++) await watch.create({ key: side.key("a") });
    await watch.cancel("1");
    await watch.create({ key: side.key("a") });
    const other = side.watch();
    await other.create({ key: side.key("a") });
  },
  "ids the client takes": async (side) => {
    const watch = side.watch();
    for (const watch_id of [1, 7, -3, "9007199254740991"]) {
      const id = await watch.create({ key: side.key("a"), watch_id });
      await side.put(side.key("a"), id);
      await watch.responses(id, 1);
    }
    for (let count = 0; count < 3; count++) await watch.create({ key: side.key("b") });
  },
  "ids over 2^53": async (side) => {
    const watch = side.watch();
    for (const watch_id of ["9007199254740993", "9223372036854775807", "-9223372036854775808"]) {
      await watch.create({ key: side.key("a"), watch_id });
    }
  },
  "an id twice": async (side) => {
    const watch = side.watch();
    await watch.create({ key: side.key("a"), watch_id: 7 });
    await watch.create({ key: side.key("a"), watch_id: 7 });
    await puts(side, "a");
    await watch.responses("7", 1);
    await watch.cancel("7");
    await watch.create({ key: side.key("b"), watch_id: 7 });
    await puts(side, "a", "b");
    await watch.responses("7", 1);
  },
  "cancel: known, unknown, again; nothing comes afterwards": async (side) => {
    const watch = side.watch();
    const first = await watch.create({ key: side.key("a") });
    const second = await watch.create({ key: side.key("a") });
    await watch.cancel(first);
    watch.send({ cancel_request: { watch_id: 99 } });
    watch.send({ cancel_request: { watch_id: first } });
    await puts(side, "a");
    await watch.responses(second, 1);
    await watch.cancel(second);
    watch.rest();
  },
  "refused: empty range, negative start": async (side) => {
    const watch = side.watch();
    await watch.create({ key: side.key("b"), range_end: side.key("a") });
    await watch.create({ key: side.key("b"), range_end: side.key("b") });
    await watch.create({ key: side.key("a"), start_revision: -1 });
    await watch.create({ key: side.key("a"), start_revision: -1, watch_id: 5 });
    await watch.create({ key: side.key("b"), range_end: side.key("a"), watch_id: 6 });
    await watch.create({ key: side.key("a") });
    await puts(side, "a");
    await watch.responses("0", 1);
  },
  "an empty request is passed over": async (side) => {
    const watch = side.watch();
    watch.send({});
    watch.send({ cancel_request: {} });
    await watch.create({ key: side.key("a") });
  },
  "half-close leaves the stream open": async (side) => {
    const watch = side.watch();
    const id = await watch.create({ key: side.key("a") });
    watch.halfClose();
    await puts(side, "a");
    await watch.responses(id, 1);
    watch.rest();
  },
};

const historyCases: Cases = {
  "from an old revision": async (side) => {
    await puts(side, "a", "b", "a", "c");
    await side.remove({ key: side.key("b") });
    const watch = side.watch();
    for (const distance of [1, 2, 3, 5]) {
      const id = await watch.create({ ...whole(side), start_revision: side.base + distance });
      await watch.events(id, 6 - distance);
    }
    const prev = await watch.create({
      ...whole(side),
      start_revision: side.base + 1,
      prev_kv: true,
    });
    await watch.events(prev, 5);
    const deletes = await watch.create({
      ...whole(side),
      start_revision: side.base + 1,
      filters: ["NOPUT"],
    });
    await watch.events(deletes, 1);
  },
  "from the next and from a later revision": async (side) => {
    const watch = side.watch();
    const next = await watch.create({ ...whole(side), start_revision: side.base + 1 });
    const later = await watch.create({ ...whole(side), start_revision: side.base + 3 });
    const now = await watch.create({ ...whole(side), start_revision: 0 });
    await puts(side, "a", "b", "c", "d");
    await watch.responses(next, 4);
    await watch.responses(later, 2);
    await watch.responses(now, 4);
    watch.rest();
  },
  "from a compacted revision, and at it": async (side) => {
    await puts(side, "a", "a", "a", "a");
    await side.call("KV", "Compact", { revision: side.base + 3, physical: true });
    const watch = side.watch();
    const below = await watch.create({ ...whole(side), start_revision: side.base + 2 });
    await watch.canceled(below);
    const first = await watch.create({ ...whole(side), start_revision: 1 });
    await watch.canceled(first);
    const at = await watch.create({ ...whole(side), start_revision: side.base + 3 });
    await watch.events(at, 2);
    const previous = await watch.create({
      ...whole(side),
      start_revision: side.base + 3,
      prev_kv: true,
    });
    await watch.events(previous, 2);
    const own = await watch.create({
      ...whole(side),
      start_revision: side.base + 1,
      watch_id: 42,
    });
    await watch.canceled(own);
    await puts(side, "a");
    await watch.events(at, 1);
    await watch.events(previous, 1);
    watch.rest();
  },
  "a tombstone at the compacted revision is still an event": async (side) => {
    await puts(side, "a");
    await side.remove({ key: side.key("a") });
    await puts(side, "b");
    await side.call("KV", "Compact", { revision: side.base + 2, physical: true });
    const watch = side.watch();
    const id = await watch.create({ ...whole(side), start_revision: side.base + 2 });
    await watch.events(id, 2);
  },
  "a long history arrives whole and in order": async (side) => {
    for (let batch = 0; batch < 12; batch++) {
      const success = Array.from({ length: 100 }, (_, index) => ({
        request_put: { key: side.key(`${index}`), value: `${batch}` },
      }));
      await side.txn({ success });
    }
    const watch = side.watch();
    const id = await watch.create({ ...whole(side), start_revision: side.base + 1 });
    await watch.events(id, 1200);
    await puts(side, "last");
    await watch.responses(id, 1);
  },
};

const progressCases: Cases = {
  "progress on request": async (side) => {
    const watch = side.watch();
    const id = await watch.create({ key: side.key("a") });
    await watch.progress();
    await puts(side, "b");
    await watch.progress();
    await puts(side, "a");
    await watch.responses(id, 1);
    await watch.progress();
    await watch.create({ key: side.key("b") });
    await watch.progress();
    watch.rest();
  },
  "progress of a stream without watchers is not answered": async (side) => {
    const watch = side.watch();
    watch.send({ progress_request: {} });
    const id = await watch.create({ key: side.key("a") });
    await puts(side, "a");
    await watch.responses(id, 1);
    watch.rest();
  },
  "progress after every watcher was cancelled": async (side) => {
    const watch = side.watch();
    await watch.cancel(await watch.create({ key: side.key("a") }));
    watch.send({ progress_request: {} });
    const id = await watch.create({ key: side.key("a") });
    await puts(side, "a");
    await watch.responses(id, 1);
  },
};

/** The server sends progress by itself every 200 ms. */
const notifyCases: Cases = {
  "progress_notify of an idle watcher": async (side) => {
    const watch = side.watch();
    const id = await watch.create({ key: side.key("a"), progress_notify: true });
    await puts(side, "other");
    const fits = (each: object) => isOf(each as never, id) && !("events" in each);
    await watch.take((each) => fits(each), "notify");
    const silent = side.watch();
    await silent.create({ key: side.key("a") });
    await watch.take((each) => fits(each), "notify");
    silent.rest();
  },
};

const fragmentCases: Cases = {
  "fragment: a revision over the limit is divided, every event once": async (side) => {
    const names = ["a", "b", "c", "d", "e"];
    const put = (letter: string, bytes: number) => ({
      success: names.map((name) => ({
        request_put: { key: side.key(name), value: letter.repeat(bytes) },
      })),
    });
    await side.quiet("KV", "Txn", put("1", 300_000));
    const watch = side.watch();
    const divided = await watch.create({ ...whole(side), fragment: true, prev_kv: true });
    const undivided = await watch.create({ ...whole(side), prev_kv: true });
    const small = await watch.create({ ...whole(side), fragment: true });
    // With the values before, 3 MB of events in one revision.
    await side.quiet("KV", "Txn", put("2", 300_000));
    for (const id of [divided, undivided, small]) await watch.shapes(id, names.length);
    const start_revision = side.base + 2;
    const late = { ...whole(side), fragment: true, prev_kv: true, start_revision };
    await watch.shapes(await watch.create(late), names.length);
  },
  "fragment: values of one revision each": async (side) => {
    const watch = side.watch();
    const id = await watch.create({ ...whole(side), fragment: true });
    for (const name of ["a", "b", "c", "d"]) {
      await side.putLarge(side.key(name), name.repeat(600_000));
      await watch.shapes(id, 1);
    }
  },
};

differentialArea("watch", { ...liveCases, ...identityCases, ...historyCases, ...progressCases });
differentialArea("watch-notify", notifyCases, {
  flags: ["--experimental-watch-progress-notify-interval", "200ms"],
});
differentialArea("watch-fragment", fragmentCases);
