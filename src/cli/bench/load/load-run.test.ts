// Runs against a server with answers of our making: a stall shows what a paced run must not hide.

import { afterAll, beforeAll, expect, test } from "bun:test";
import type { PutResponseInit } from "../../../api/index.ts";
import { EtcdError, METHODS, type UnaryCall } from "../../../api/index.ts";
import { bindMethods, GrpcServer, inflateGzip, Listener } from "../../../http/index.ts";
import { BunClock } from "../../../io/bun/index.ts";
import { silentLogger } from "../../../io/index.ts";
import type { Target } from "./connection-set.ts";
import { LoadRun } from "./load-run.ts";
import { putSource } from "./request-source.ts";

const STALL_MS = 120;
const KEYS = { keyBytes: 4, keySpaceSize: 10, isSequential: true, random: Math.random };
const ENDLESS = Number.POSITIVE_INFINITY;

let answer: (call: UnaryCall<PutResponseInit>) => void = (call) => call.succeed({});
let listener: Listener;
let target: Target;

beforeAll(async () => {
  const clock = new BunClock();
  const kv = { put: (_request: unknown, call: UnaryCall<PutResponseInit>) => answer(call) };
  const methods = bindMethods(METHODS, { "etcdserverpb.KV": kv });
  listener = new Listener({
    clock,
    logger: silentLogger,
    url: "http://127.0.0.1:0",
    tls: undefined,
    grpc: new GrpcServer({ clock, methods, inflate: inflateGzip }),
    fetch: () => new Response("no"),
  });
  await listener.start();
  const address = listener.address as { port: number };
  const endpoints = [`127.0.0.1:${address.port}`];
  target = { endpoints, tls: undefined, token: null, dialTimeoutMs: 5000 };
});

afterAll(() => listener.stop(0));

function newRun(plan: Partial<ConstructorParameters<typeof LoadRun>[1]>): LoadRun {
  const whole = { clients: 4, connections: 2, total: 500, durationMs: ENDLESS, ratePerSecond: 0 };
  return new LoadRun(target, { ...whole, ...plan }, putSource(KEYS, 8));
}

/** Answers one request late and all others at once. */
function stallOnce(): void {
  let isFirst = true;
  answer = (call) => {
    if (isFirst) setTimeout(() => call.succeed({}), STALL_MS);
    else call.succeed({});
    isFirst = false;
  };
}

test("a run sends as many requests as it was asked for", async () => {
  answer = (call) => call.succeed({});
  const run = newRun({});
  const result = await run.run();
  expect([result.latencies.count, result.errors.total, result.unsent]).toEqual([500, 0, 0]);
  expect(run.progress()).toBe(1);
});

test("errors are counted by their text", async () => {
  let count = 0;
  answer = (call) => {
    if (++count % 5 === 0) call.fail(new EtcdError(8, "etcdserver: too many requests"));
    else call.succeed({});
  };
  const { errors, latencies } = await newRun({}).run();
  expect(errors.rows()).toEqual([{ text: "etcdserver: too many requests", count: 100 }]);
  expect(latencies.count).toBe(400);
});

test("with a rate, requests that a stall keeps from being sent have waited too", async () => {
  stallOnce();
  const plan = { clients: 1, connections: 1, total: 200, ratePerSecond: 1000 };
  const paced = await newRun(plan).run();
  // One request per millisecond was due during the stall: about half of them waited longer than half of it.
  const [waited] = paced.latencies.histogram([STALL_MS / 2, Number.MAX_VALUE]).slice(1);
  expect(waited).toBeGreaterThan(STALL_MS / 4);
  stallOnce();
  const closed = await newRun({ ...plan, ratePerSecond: 0 }).run();
  const [slow] = closed.latencies.histogram([STALL_MS / 2, Number.MAX_VALUE]).slice(1);
  expect(slow).toBe(1);
});

test("a rate is kept, and what could not be sent in time is told", async () => {
  answer = (call) => call.succeed({});
  const kept = await newRun({ total: 100, ratePerSecond: 500 }).run();
  expect(kept.elapsedMs).toBeGreaterThanOrEqual(197);
  answer = (call) => setTimeout(() => call.succeed({}), 20);
  const plan = { clients: 1, connections: 1, total: ENDLESS, durationMs: 200, ratePerSecond: 1000 };
  const missed = await newRun(plan).run();
  expect(missed.latencies.count).toBeLessThan(20);
  expect(missed.unsent).toBe(200 - missed.latencies.count);
});

test("time ends a run, and so does stop", async () => {
  answer = (call) => call.succeed({});
  const timed = await newRun({ total: ENDLESS, durationMs: 100 }).run();
  expect(timed.elapsedMs).toBeGreaterThan(90);
  const run = newRun({ total: ENDLESS });
  let left = 50;
  answer = (call) => {
    if (--left === 0) run.stop();
    call.succeed({});
  };
  expect((await run.run()).latencies.count).toBeGreaterThanOrEqual(50);
});

test("no connection is an error that names the endpoint", async () => {
  const nowhere: Target = { ...target, endpoints: ["127.0.0.1:1"] };
  const plan = { clients: 1, connections: 1, total: 1, durationMs: ENDLESS, ratePerSecond: 0 };
  const run = new LoadRun(nowhere, plan, putSource(KEYS, 8));
  expect(run.run()).rejects.toThrow("cannot connect to 127.0.0.1:1");
});
