import { describe, expect, test } from "bun:test";
import { utf8 } from "../base/bytes.ts";
import { renderWatchResponse, WATCH_CASES, type WatchStep } from "./watch-service-cases.ts";
import { type FakeWatchCall, WatchBench } from "./watch-service-fakes.ts";

const put = (key: string, value: string) => ({ key: utf8(key), value: utf8(value) });
const seen = (call: FakeWatchCall) => call.take().map(renderWatchResponse);

function perform(bench: WatchBench, call: FakeWatchCall, step: WatchStep): void {
  if ("put" in step) bench.commit([put(step.put[0], step.put[1])]);
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
