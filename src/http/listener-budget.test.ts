/** Clients that ask for much and read nothing, against a process-wide budget, over real sockets. */
import { afterEach, expect, test } from "bun:test";
import * as http2 from "node:http2";
import * as net from "node:net";
import {
  envelope,
  type Fixture,
  rangeMessage,
  rawCall,
  startFixture,
  until,
} from "../../test/grpc-fixture.ts";
import type { RangeRequest, RangeResponseInit, UnaryCall } from "../api/index.ts";
import { BunClock } from "../io/bun/index.ts";
import { AnswerBudget, OutputPool } from "./index.ts";

const RANGE = "/etcdserverpb.KV/Range";
const MEBI = 1024 * 1024;
const BUDGET_BYTES = 16 * MEBI;
/** More than the kernel keeps for a reader that does not read. */
const PAGE_BYTES = 8 * MEBI;
const LIST = new Uint8Array(MEBI);
const cleanups: (() => unknown)[] = [];
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
});

/** Seconds pass when the test says so. */
class ReviewClock extends BunClock {
  readonly reviews: (() => void)[] = [];

  override setTimer(delayMs: number, fire: () => void) {
    if (delayMs !== 1000) return super.setTimer(delayMs, fire);
    this.reviews.push(fire);
    return { cancel: () => {} };
  }
}

/** The key "list" brings 1 MiB, others their own key. */
function range(request: RangeRequest, call: UnaryCall<RangeResponseInit>): void {
  const isList = Buffer.from(request.key).toString() === "list";
  call.succeed({ kvs: [{ key: request.key, value: isList ? LIST : request.key }], count: 1 });
}

async function start(clock: BunClock): Promise<{ fixture: Fixture; budget: AnswerBudget }> {
  const budget = new AnswerBudget(BUDGET_BYTES);
  const sized = () =>
    new Response("x".repeat(PAGE_BYTES), { headers: { "content-length": String(PAGE_BYTES) } });
  const fixture = await startFixture(
    { range },
    { clock, pool: new OutputPool(budget), fetch: sized },
  );
  cleanups.push(() => fixture.listener.stop(0));
  return { fixture, budget };
}

function connect(port: number): http2.ClientHttp2Session {
  const session = http2.connect(`http://127.0.0.1:${port}`);
  session.on("error", () => {});
  cleanups.push(() => session.destroy());
  return session;
}

/** Asks for a list and reads nothing of it; counts into `outcome` how it went. */
function unreadList(session: http2.ClientHttp2Session, outcome: { answered: number }): void {
  const stream = session.request({
    ":method": "POST",
    ":path": RANGE,
    "content-type": "application/grpc",
    te: "trailers",
  });
  stream.on("error", () => {});
  stream.on("response", () => {
    outcome.answered++;
  });
  stream.end(envelope(rangeMessage("list")));
}

const ask = (session: http2.ClientHttp2Session, key: string) =>
  rawCall(session, RANGE, [envelope(rangeMessage(key))]);

test("unread lists stay within the budget, others are served, and the worst are closed in time", async () => {
  const clock = new ReviewClock();
  const { fixture, budget } = await start(clock);
  const healthy = connect(fixture.port);
  expect((await ask(healthy, "a")).code).toBe("0");
  const sessions = Array.from({ length: 10 }, () => connect(fixture.port));
  const outcome = { answered: 0 };
  for (let round = 0; round < 8; round++) {
    for (const session of sessions) unreadList(session, outcome);
    expect((await ask(healthy, `k${round}`)).code).toBe("0");
    expect(budget.bytes).toBeLessThan(BUDGET_BYTES + MEBI);
  }
  await until(() => outcome.answered === 80);
  expect(budget.bytes).toBeGreaterThan(BUDGET_BYTES / 2);
  expect(budget.bytes).toBeLessThan(BUDGET_BYTES + MEBI);
  const refused = await ask(sessions[0]!, "list");
  expect([refused.code, refused.message]).toEqual(["2", "etcdserver: too many requests"]);
  expect((await ask(healthy, "z")).code).toBe("0");

  for (let i = 0; i < 5; i++) clock.reviews.shift()!();
  await until(() => budget.bytes <= BUDGET_BYTES / 2);
  await until(() => sessions.some((session) => session.destroyed));
  expect(sessions.every((session) => session.destroyed)).toBe(false);
  expect((await ask(healthy, "list")).body.length).toBeGreaterThan(MEBI);
  for (const session of sessions) session.destroy();
  await until(() => budget.bytes === 0);
});

test("unread answers over HTTP/1.1 count as well", async () => {
  const { fixture, budget } = await start(new ReviewClock());
  const sockets: net.Socket[] = [];
  for (let i = 0; i < 10; i++) {
    const socket = net.connect(fixture.port, "127.0.0.1");
    socket.on("error", () => {});
    cleanups.push(() => socket.destroy());
    socket.pause();
    socket.write("GET /a HTTP/1.1\r\nhost: x\r\n\r\n".repeat(4));
    sockets.push(socket);
  }
  await until(() => budget.bytes > BUDGET_BYTES / 2);
  const healthy = connect(fixture.port);
  expect((await ask(healthy, "a")).code).toBe("0");
  expect(budget.bytes).toBeLessThan(BUDGET_BYTES + MEBI);
  for (const socket of sockets) socket.destroy();
  await until(() => budget.bytes === 0);
  const whole = await fetch(`http://127.0.0.1:${fixture.port}/b`);
  expect((await whole.text()).length).toBe(PAGE_BYTES);
  await until(() => budget.bytes === 0);
});
