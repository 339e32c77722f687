import { describe, expect, test } from "bun:test";
import { errPermissionDenied } from "../api/index.ts";
import { utf8, utf8Text } from "../base/bytes.ts";
import { renderWatchResponse, WATCH_CASES, type WatchStep } from "./watch-service-cases.ts";
import { FakeWatchCall, WatchBench } from "./watch-service-fakes.ts";

const put = (key: string, value: string) => ({ key: utf8(key), value: utf8(value) });
const seen = (call: FakeWatchCall) => call.take().map(renderWatchResponse);

function perform(bench: WatchBench, call: FakeWatchCall, step: WatchStep): void {
  if ("put" in step) bench.commit([put(step.put[0], step.put[1])]);
  else if ("fill" in step) bench.commit([put(step.fill[0], "x".repeat(step.fill[1]))]);
  else if ("txn" in step) {
    bench.commit(
      step.txn.map(([key, value]) =>
        value === undefined ? { key: utf8(key) } : { key: utf8(key), value: utf8(value) },
      ),
    );
  } else if ("delete" in step) bench.commit([{ key: utf8(step.delete) }]);
  else if ("compact" in step) bench.source.compact(step.compact);
  else if ("create" in step) call.request({ create_request: step.create });
  else if ("cancel" in step) call.request({ cancel_request: { watch_id: step.cancel } });
  else call.request({ progress_request: {} });
  bench.settle();
}

describe("WatchServer answers like etcd 3.5.30", () => {
  for (const { name, steps } of WATCH_CASES) {
    test(name, () => {
      const bench = new WatchBench();
      const call = bench.open();
      for (const step of steps) {
        perform(bench, call, step);
        // The order between watchers is free, in etcd too.
        expect(seen(call).sort()).toEqual([...step.sees].sort());
      }
    });
  }
});

const a = utf8("a");
const filler = (bytes: number) => "x".repeat(bytes);

describe("WatchServer and slow consumers", () => {
  test("a full call parks its watchers and pauses its requests until it drains", () => {
    const bench = new WatchBench();
    const call = bench.open(1000);
    call.request({ create_request: { key: a } });
    call.reading = false;
    bench.commit([put("a", filler(2000))]);
    expect(call.paused).toBeTrue();
    for (let i = 0; i < 5; i++) bench.commit([put("a", String(i))]);
    call.request({ progress_request: {} });
    bench.settle();
    expect(call.take().length).toBe(2);
    expect(bench.server.statistics()).toMatchObject({ slowWatchers: 1, pendingEvents: 1 });
    call.reading = true;
    call.drainAll();
    bench.settle();
    expect(call.paused).toBeFalse();
    // The progress request that waited is asked while history is still to be read: no answer, as in etcd.
    const responses = call.take();
    expect(responses.length).toBe(1);
    expect(responses[0]!.events.map((event) => event.kv!.mod_revision)).toEqual([3, 4, 5, 6, 7]);
    expect(bench.server.statistics()).toMatchObject({ slowWatchers: 0, pendingEvents: 0 });
  });

  test("what waits in one stream is bounded, also where the call itself never complains", () => {
    const bench = new WatchBench({ limits: { streamQueueBytesMax: 10_000 } });
    const call = bench.open();
    call.request({ create_request: { key: a } });
    call.reading = false;
    for (let i = 0; i < 100; i++) bench.commit([put("a", filler(1000))]);
    expect(call.queuedBytes).toBeLessThan(10_000 + 1100);
    bench.clock.advance(50);
    expect(call.queuedBytes).toBeLessThan(10_000 + 1100);
    call.queuedBytes = 0;
    call.reading = true;
    bench.clock.advance(10);
    bench.settle();
    const revisions = call.take().flatMap(({ events }) => events.map((e) => e.kv!.mod_revision));
    expect(revisions).toEqual(Array.from({ length: 100 }, (_, index) => index + 2));
  });

  test("the pieces of a fragmented response wait for room, and nothing comes between them", () => {
    const bench = new WatchBench({ limits: { fragmentBytesMax: 1500 } });
    const call = bench.open(1000);
    call.request({ create_request: { key: a, range_end: utf8("b"), fragment: true } });
    call.take();
    call.reading = false;
    bench.commit(["a1", "a2", "a3"].map((key) => put(key, filler(1000))));
    bench.commit([put("a4", "1")]);
    bench.settle();
    const pieces = () => call.take().map(({ fragment, events }) => [fragment, events.length]);
    expect(pieces()).toEqual([[true, 1]]);
    // A request that was already on its way when the stream was paused.
    call.paused = false;
    call.request({ cancel_request: { watch_id: 0 } });
    call.drainAll();
    expect(pieces()).toEqual([[true, 1]]);
    call.drainAll();
    expect(pieces()).toEqual([[false, 1]]);
    call.reading = true;
    call.drainAll();
    expect(seen(call)).toEqual(["#0 @3 canceled"]);
    expect(call.paused).toBeFalse();
  });

  test("a call that ended before it was served leaves nothing behind", () => {
    const bench = new WatchBench();
    const call = new FakeWatchCall();
    call.onAbort = (listener) => listener();
    bench.server.watch(call, call);
    expect(bench.server.statistics().streams).toBe(0);
    expect(call.error).toMatchObject({ code: 1 });
  });

  test("a call that asked to stop is not written to before it says so, whatever the timer thinks", () => {
    const bench = new WatchBench({ limits: { streamQueueBytesMax: 100 } });
    const call = bench.open(300);
    call.request({ create_request: { key: a } });
    call.reading = false;
    bench.commit([put("a", filler(250))]);
    // Only our own bound is passed; now a request that was on its way fills the call itself.
    call.paused = false;
    call.request({ create_request: { key: a } });
    call.request({ create_request: { key: a } });
    call.take();
    bench.commit([put("a", "2")]);
    call.queuedBytes = 50;
    bench.clock.advance(100);
    bench.settle();
    expect(call.take()).toEqual([]);
    call.reading = true;
    call.drainAll();
    bench.settle();
    expect(call.take().length).toBe(3);
  });

  test("one slow call costs the others nothing", () => {
    const bench = new WatchBench();
    const slow = bench.open(100);
    const fast = bench.open();
    for (const call of [slow, fast]) call.request({ create_request: { key: a } });
    slow.reading = false;
    for (let i = 0; i < 50; i++) bench.commit([put("a", filler(100))]);
    bench.settle();
    expect(fast.take().length).toBe(51);
    expect(slow.messages.length).toBe(2);
  });

  test("calls with the same watch id are handed the same bytes", () => {
    const bench = new WatchBench();
    const calls = Array.from({ length: 20 }, () => bench.open());
    for (const call of calls) call.request({ create_request: { key: a, prev_kv: true } });
    bench.commit([put("a", "1")]);
    expect(new Set(calls.map((call) => call.messages.at(-1))).size).toBe(1);
  });
});

describe("WatchServer and the end of calls", () => {
  test("a client that goes away leaves nothing behind", () => {
    const bench = new WatchBench();
    const call = bench.open();
    call.request({ create_request: { key: a, progress_notify: true } });
    call.request({ create_request: { key: a, start_revision: 1 } });
    call.hangUp();
    expect(call.error).toMatchObject({ code: 1, message: "etcdserver: watch canceled" });
    expect(bench.server.statistics()).toMatchObject({ streams: 0, watchers: 0, slowWatchers: 0 });
    expect(bench.clock.timerCount).toBe(0);
    bench.commit([put("a", "1")]);
    bench.settle();
    call.request({ create_request: { key: a } });
    expect(call.take().length).toBe(2);
  });

  test("stop ends every call with a status that makes clients resume", () => {
    const bench = new WatchBench();
    const call = bench.open();
    bench.server.stop();
    expect(call.error).toMatchObject({ code: 14, message: "etcdserver: server stopped" });
    expect(bench.open().error).toMatchObject({ code: 14 });
    expect(bench.server.statistics().streams).toBe(0);
  });
});

describe("WatchServer and progress by the clock", () => {
  const limits = { progressNotifyIntervalMs: 1000 };
  // The interval and its jitter: 12345 % 100.
  const tickMs = 1045;

  test("quiet watchers that asked for it hear how far they are, others and busy ones do not", () => {
    const bench = new WatchBench({ limits });
    const call = bench.open();
    call.request({ create_request: { key: a, progress_notify: true } });
    call.request({ create_request: { key: utf8("b"), progress_notify: true } });
    call.request({ create_request: { key: a } });
    call.take();
    bench.commit([put("a", "1")]);
    call.take();
    bench.clock.advance(tickMs - 1);
    expect(seen(call)).toEqual([]);
    bench.clock.advance(1);
    expect(seen(call)).toEqual(["#1 @2"]);
    bench.clock.advance(tickMs);
    expect(seen(call)).toEqual(["#0 @2", "#1 @2"]);
    call.request({ cancel_request: { watch_id: 0 } });
    call.request({ cancel_request: { watch_id: 1 } });
    bench.clock.advance(tickMs);
    expect(bench.clock.timerCount).toBe(0);
  });

  test("nothing is told before the start revision or while events wait", () => {
    const bench = new WatchBench({ limits });
    const call = bench.open(100);
    call.request({ create_request: { key: a, progress_notify: true, start_revision: 3 } });
    bench.clock.advance(tickMs);
    expect(seen(call)).toEqual(["#0 @1 created"]);
    call.request({ create_request: { key: utf8("b"), progress_notify: true } });
    call.reading = false;
    bench.commit([put("a", "2")]);
    bench.commit([put("a", filler(200))]);
    bench.commit([put("a", "4")]);
    call.take();
    bench.clock.advance(3 * tickMs);
    expect(seen(call)).toEqual([]);
    call.reading = true;
    call.drainAll();
    bench.settle();
    expect(seen(call)).toEqual(["#0 @4 | PUT a=4(2/4/3)"]);
    bench.clock.advance(tickMs);
    expect(seen(call)).toEqual(["#1 @4"]);
    bench.clock.advance(tickMs);
    expect(seen(call)).toEqual(["#0 @4", "#1 @4"]);
  });

  test("intervals below etcd's minimum are raised to it", () => {
    const bench = new WatchBench({ limits: { progressNotifyIntervalMs: 1 } });
    const call = bench.open();
    call.request({ create_request: { key: a, progress_notify: true } });
    call.take();
    bench.clock.advance(99);
    expect(call.take().length).toBe(0);
    bench.clock.advance(11);
    expect(call.take().length).toBe(1);
  });
});

describe("WatchServer and refusals", () => {
  test("a caller without permission gets etcd's text; a negative revision is noticed first", () => {
    const asked: string[] = [];
    const bench = new WatchBench({
      permission: (_context, key, rangeEnd) => {
        asked.push(`${utf8Text(key)}-${utf8Text(rangeEnd)}`);
        return key[0] === 0 ? null : errPermissionDenied;
      },
    });
    const call = bench.open();
    call.request({ create_request: { key: a, watch_id: 4, range_end: utf8("b") } });
    call.request({ create_request: { key: a, start_revision: -3 } });
    call.request({ create_request: {} });
    expect(seen(call)).toEqual([
      '#-1 @1 created canceled "rpc error: code = PermissionDenied desc = etcdserver: permission denied"',
      '#-1 @1 created canceled "etcdserver: mvcc: required revision has been compacted"',
      "#0 @1 created",
    ]);
    expect(asked).toEqual(["a-b", "\u0000-"]);
  });

  test("watchers of one stream are bounded", () => {
    const bench = new WatchBench({ limits: { watchersPerStreamMax: 2 } });
    const call = bench.open();
    for (let i = 0; i < 3; i++) call.request({ create_request: { key: a } });
    expect(seen(call).at(-1)).toBe('#-1 @1 created canceled "etcdserver: too many requests"');
  });

  test("an empty request is ignored", () => {
    const bench = new WatchBench();
    const call = bench.open();
    call.request({});
    expect(seen(call)).toEqual([]);
  });
});
