// A whole member from start to stop, and on disks that fail: what is not on disk is never acknowledged.
import { expect, test } from "bun:test";
import type { FaultDisk } from "../../test/disk/fault-disk.ts";
import type { SimClock } from "../../test/simulation/sim-clock.ts";
import {
  decodeKeyValue,
  decodePutRequest,
  decodeRangeRequest,
  encodePutRequest,
  encodeRangeRequest,
  errNoSpace,
  errStopped,
  ProtoWriter,
  type PutResponseInit,
  type RangeResponseInit,
} from "../api/index.ts";
import { utf8, utf8Text } from "../base/bytes.ts";
import type { DiskError } from "../io/index.ts";
import { Member } from "./member.ts";
import type { MemberOptions } from "./member-options.ts";
import { newWorld, pass, RecordingLogger, testMemberOptions } from "./testing/stand-ins.ts";
import { newTestCall, type TestCall } from "./testing/test-call.ts";

/** A member and the one who uses it. */
class World {
  readonly disk: FaultDisk;
  readonly clock: SimClock;
  readonly failures: DiskError[] = [];
  readonly extra: Partial<MemberOptions>;
  logger = new RecordingLogger();
  member!: Member;
  ready = false;

  constructor(extra: Partial<MemberOptions> = {}) {
    const { disk, clock } = newWorld();
    this.disk = disk;
    this.clock = clock;
    this.extra = extra;
  }

  start(): this {
    this.ready = false;
    this.logger = new RecordingLogger();
    this.member = new Member(
      testMemberOptions(this.disk, this.clock, {
        logger: this.logger,
        onDiskFailure: (error) => this.failures.push(error),
        ...this.extra,
      }),
    );
    this.member.start(() => {
      this.ready = true;
    });
    this.run();
    return this;
  }

  /** Everything that is due soon, disk included. */
  run(ms = 50): void {
    for (let quiet = 0; quiet < 2; ) {
      pass(this.clock, ms / 2);
      quiet = this.disk.step() ? 0 : quiet + 1;
    }
  }

  stop(): void {
    let stopped = false;
    this.member.stop(() => {
      stopped = true;
    });
    while (!stopped && this.disk.step());
    expect(stopped).toBe(true);
    this.clock.forgetAll();
  }

  put(key: string, value = "v"): TestCall<PutResponseInit> {
    const writer = new ProtoWriter(64);
    encodePutRequest(writer, { key: utf8(key), value: utf8(value) });
    const call = newTestCall<PutResponseInit>();
    this.member.services.kv.put(decodePutRequest(writer.finish()), call);
    return call;
  }

  get(key: string): string | null {
    const writer = new ProtoWriter(64);
    encodeRangeRequest(writer, { key: utf8(key) });
    const call = newTestCall<RangeResponseInit>();
    this.member.services.kv.range(decodeRangeRequest(writer.finish()), call);
    this.run();
    expect(call.error).toBeNull();
    const record = call.response?.kvs?.[0];
    return record === undefined ? null : utf8Text(decodeKeyValue(record as Uint8Array).value);
  }
}

test("Member starts, serves, stops and starts again with everything", () => {
  const world = new World().start();
  expect(world.ready).toBe(true);
  expect(world.member.isServing()).toBe(true);
  const calls = Array.from({ length: 20 }, (_, i) => world.put(`k${i}`, `v${i}`));
  world.run();
  expect(calls.map((call) => call.response?.header?.revision)).toEqual(
    Array.from({ length: 20 }, (_, i) => i + 2),
  );
  world.stop();
  world.start();
  expect(world.ready).toBe(true);
  expect(world.get("k19")).toBe("v19");
  expect(world.member.state.store.revision()).toBe(21);
  // A new term begins with each start.
  expect(world.put("k0").answered).toBe(false);
  world.run();
  expect(world.member.raft.term()).toBe(3);
  world.stop();
});

test("Member says who it is and that it is ready, once", () => {
  const world = new World().start();
  const messages = world.logger.messages();
  for (const message of [
    "published local member to cluster through raft",
    "setting up initial cluster version",
  ]) {
    expect(messages.filter((each) => each === message).length).toBe(1);
  }
  expect(world.logger.lines.filter(({ level }) => level === "error")).toEqual([]);
  world.stop();
});

test("Member refuses what comes after a stop, and answers what was waiting", () => {
  const world = new World().start();
  world.disk.syncMode = "step";
  const waiting = world.put("a");
  let stopped = false;
  world.member.stop(() => {
    stopped = true;
  });
  expect(waiting.error).toBe(errStopped);
  expect(world.put("b").error).toBe(errStopped);
  while (!stopped && world.disk.step());
  expect(stopped).toBe(true);
});

test("Member writes nothing to disk while it is idle", () => {
  const world = new World().start();
  world.put("a");
  world.run(2000);
  const before = world.disk.operationCount;
  world.run(600_000);
  expect(world.disk.operationCount).toBe(before);
  world.stop();
});

test("Member acknowledges a write only after its log is synced", () => {
  const world = new World().start();
  world.disk.syncMode = "step";
  const call = world.put("a");
  pass(world.clock, 20);
  expect(world.disk.outstandingSyncs).toBeGreaterThan(0);
  expect(call.answered).toBe(false);
  world.run();
  expect(call.response).not.toBeNull();
});

test.each([
  ["a sync of the log", { operation: "sync", pathIncludes: ".wal" }],
  ["a write of the log", { operation: "write", pathIncludes: ".wal" }],
] as const)(
  "after %s failed nothing is acknowledged, and the process is told to end",
  (_name, where) => {
    const world = new World().start();
    const before = world.put("before");
    world.run();
    expect(before.response).not.toBeNull();
    world.disk.inject({ ...where, effect: { kind: "fail", code: "EIO" } });
    const lost = world.put("lost");
    world.run();
    const later = world.put("later");
    world.run(1000);
    expect(world.failures.map((error) => error.code)).toEqual(["EIO"]);
    expect([lost.response, later.response]).toEqual([null, null]);
    // The process died; what was acknowledged is there.
    world.clock.forgetAll();
    world.disk.crash(1);
    world.start();
    expect(world.ready).toBe(true);
    expect(world.get("before")).toBe("v");
  },
);

test.each([
  ["a sync of the database", { operation: "sync", pathIncludes: "/db" }],
  ["a write of the database", { operation: "write", pathIncludes: "/db" }],
] as const)(
  "after %s failed the process is told to end, and the log has what was acknowledged",
  (_name, where) => {
    const world = new World().start();
    world.run(1000);
    world.disk.inject({ ...where, effect: { kind: "fail", code: "ENOSPC" } });
    const calls = [world.put("a"), world.put("b")];
    world.run(1000);
    expect(world.failures.map((error) => error.code)).toEqual(["ENOSPC"]);
    expect(calls.every((call) => call.response !== null)).toBe(true);
    world.clock.forgetAll();
    world.disk.crash(2);
    world.start();
    expect(world.get("a")).toBe("v");
    expect(world.get("b")).toBe("v");
  },
);

test("Member restarts on what a crash left at any moment of its first start", () => {
  for (let at = 1; at < 60; at++) {
    const world = new World();
    world.disk.crashAfter = world.disk.operationCount + at;
    let cut = false;
    try {
      world.start();
    } catch {
      cut = true;
    }
    if (!cut) break;
    world.clock.forgetAll();
    world.disk.crash(at);
    world.start();
    expect(world.ready).toBe(true);
    const call = world.put("a");
    world.run();
    expect(call.response).not.toBeNull();
  }
});

test("Member with its log cut into segments restarts after many snapshots", () => {
  const world = new World({ entriesPerSnapshot: 50, catchupEntries: 10, walSegmentBytes: 16_384 });
  world.start();
  for (let round = 0; round < 12; round++) {
    for (let i = 0; i < 60; i++) world.put(`k${i}`, `${round} ${"x".repeat(50)}`);
    world.run(1100);
  }
  expect(world.logger.messages()).toContain("purged");
  const segments = world.disk.list("/data/member/wal").filter((name) => name.endsWith(".wal"));
  expect(segments.length).toBeLessThan(8);
  world.clock.forgetAll();
  world.disk.crash(3);
  world.start();
  expect(world.get("k59")).toStartWith("11 ");
  expect(world.member.state.store.revision()).toBe(1 + 12 * 60);
});

test("Member refuses writes over its quota, also after a restart, until the alarm is gone", () => {
  const world = new World({ quotaBytes: 200_000 }).start();
  let refused = false;
  for (let i = 0; i < 300 && !refused; i++) {
    const call = world.put(`k${i}`, "x".repeat(4000));
    world.run();
    if (call.error !== null) {
      expect(call.error).toBe(errNoSpace);
      refused = true;
    }
  }
  expect(refused).toBe(true);
  world.run();
  // Small enough to fit: the alarm forbids it all the same.
  const small = world.put("small");
  world.run();
  expect(small.error).toBe(errNoSpace);
  expect(world.logger.messages().filter((text) => text === "alarm raised").length).toBe(1);
  expect(world.get("k0")).not.toBeNull();
  world.stop();
  world.start();
  expect(world.member.state.alarms.list().length).toBe(1);
  const call = world.put("small");
  world.run();
  expect(call.error).toBe(errNoSpace);
});
