import { describe, expect, test } from "bun:test";
import { SimClock } from "../../test/simulation/sim-clock.ts";
import {
  errNoLeader,
  errNotSupportedForLearner,
  errWatchCanceled,
  type Services,
  type StreamCall,
} from "../api/index.ts";
import { Counter, Labelled } from "../base/metrics.ts";
import { CallGate } from "./call-gate.ts";
import { FakeRaft } from "./testing/fake-raft.ts";
import { pass } from "./testing/stand-ins.ts";
import { newTestCall, TestStream } from "./testing/test-call.ts";

const NEVER = undefined as never;

function open() {
  const clock = new SimClock();
  const raft = new FakeRaft();
  const clientRequests = new Labelled(() => new Counter());
  const role = { isLearner: false };
  const gate = new CallGate({
    ...{ clock, raft, electionTimeoutMs: 1000 },
    isLearner: () => role.isLearner,
    clientRequests,
  });
  const called: string[] = [];
  const streams: StreamCall<unknown>[] = [];
  const unary = (name: string) => () => called.push(name);
  const stream = (name: string) => (_requests: unknown, call: StreamCall<unknown>) => {
    called.push(name);
    streams.push(call);
  };
  const services = {
    kv: { range: unary("range"), put: unary("put"), rangeStream: stream("rangeStream") },
    watch: { watch: stream("watch") },
    lease: { leaseKeepAlive: stream("leaseKeepAlive") },
    maintenance: { status: unary("status"), snapshot: stream("snapshot") },
    health: "as it is",
  } as unknown as Services;
  const api = gate.guard(services);
  const openStream = (requireLeader: boolean, name: "watch" | "snapshot" = "watch") => {
    const call = new TestStream<object>(Infinity, requireLeader);
    if (name === "watch") api.watch.watch(NEVER, call);
    else api.maintenance.snapshot(NEVER, call);
    return call;
  };
  return { clientRequests, clock, raft, role, gate, called, streams, api, openStream };
}

describe("CallGate and learners", () => {
  test("a learner serves its status, serializable ranges and snapshots, and nothing else", () => {
    const { role, gate, called, api, openStream } = open();
    role.isLearner = true;
    const call = newTestCall<object>();
    api.kv.range({ serializable: true } as never, call);
    api.maintenance.status(NEVER, call);
    openStream(false, "snapshot");
    expect(called).toEqual(["range", "status", "snapshot"]);
    const refused = [newTestCall<object>(), newTestCall<object>()];
    api.kv.range({ serializable: false } as never, refused[0]!);
    api.kv.put(NEVER, refused[1]!);
    const streams = [
      new TestStream<object>(9),
      new TestStream<object>(9),
      new TestStream<object>(9),
    ];
    api.watch.watch(NEVER, streams[0]!);
    api.lease.leaseKeepAlive(NEVER, streams[1]!);
    api.kv.rangeStream(NEVER, streams[2]!);
    for (const each of [...refused, ...streams]) expect(each.error).toBe(errNotSupportedForLearner);
    expect(gate.refuse(call.context)).toBe(errNotSupportedForLearner);
    expect(called.length).toBe(3);
    role.isLearner = false;
    api.kv.put(NEVER, newTestCall());
    expect(called.at(-1)).toBe("put");
  });

  test("calls are counted by their kind and the version that the client names", () => {
    const { clientRequests, api, openStream } = open();
    api.kv.put(NEVER, newTestCall());
    api.kv.put(NEVER, newTestCall());
    openStream(false);
    expect([...clientRequests].map(([labels, counter]) => [...labels, counter.value])).toEqual([
      ["unary", "3.7", 2],
      ["stream", "3.7", 1],
    ]);
  });

  test("what is no method of the API stays as it is", () => {
    expect(open().api.health as unknown).toBe("as it is");
  });
});

describe("CallGate and hasleader", () => {
  test("calls fail at once while no leader is known, if they asked for it", () => {
    const { raft, called, api, openStream } = open();
    const strict = newTestCall<object>(true);
    api.kv.put(NEVER, strict);
    expect(strict.error).toBe(errNoLeader);
    expect(openStream(true).error).toBe(errNoLeader);
    api.kv.put(NEVER, newTestCall());
    expect(openStream(false).error).toBeNull();
    expect(called).toEqual(["put", "watch"]);
    raft.become(1, 2n);
    api.kv.put(NEVER, newTestCall(true));
    expect(openStream(true).error).toBeNull();
    expect(called).toEqual(["put", "watch", "put", "watch"]);
  });

  test("streams that asked for it end after three election timeouts without a leader", () => {
    const { clock, raft, streams, openStream } = open();
    raft.become(1, 2n);
    const strict = openStream(true);
    const other = openStream(false);
    let aborted = 0;
    streams[0]!.onAbort(() => {
      aborted++;
      // What sessions do with a stream that is gone.
      streams[0]!.fail(errWatchCanceled);
    });
    raft.become(2, 0n);
    pass(clock, 2000);
    raft.become(3, 3n);
    pass(clock, 5000);
    raft.become(3, 0n);
    raft.become(4, 0n);
    pass(clock, 2999);
    expect(strict.error).toBeNull();
    pass(clock, 1);
    expect(strict.error).toBe(errNoLeader);
    expect(aborted).toBe(1);
    expect(streams[0]!.aborted).toBe(true);
    expect(streams[0]!.send({})).toBe(false);
    expect(other.error).toBeNull();
  });

  test("streams that ended by themselves or with their client are left alone", () => {
    const { clock, raft, streams, openStream } = open();
    raft.become(1, 2n);
    const ended = openStream(true);
    const left = openStream(true);
    const drained: string[] = [];
    streams[0]!.onDrain(() => drained.push("drained"));
    ended.drain();
    expect(drained).toEqual(["drained"]);
    streams[0]!.end();
    left.abort();
    raft.become(1, 0n);
    pass(clock, 10_000);
    expect(ended.ended).toBe(true);
    expect([ended.error, left.error]).toEqual([null, null]);
  });

  test("stop leaves no timer behind", () => {
    const { clock, raft, gate } = open();
    raft.become(1, 2n);
    raft.become(1, 0n);
    gate.stop();
    expect(clock.runNext(1e9)).toBe(false);
  });
});
