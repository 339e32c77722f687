import { expect, test } from "bun:test";
import { encodeWatchResponse } from "../../api/generated/messages.ts";
import { errNoLeader, ProtoWriter } from "../../api/index.ts";
import { type TestApplication, testApplication, until } from "../test-application.ts";
import { HEADER, type HeldStream } from "./test-services.ts";

const decoder = new TextDecoder();

/** A request body that the test writes piece by piece. */
class OpenBody {
  readonly #encoder = new TextEncoder();
  #controller!: ReadableStreamDefaultController<Uint8Array>;
  readonly stream = new ReadableStream<Uint8Array>({
    start: (controller) => {
      this.#controller = controller;
    },
  });

  write(text: string): void {
    this.#controller.enqueue(this.#encoder.encode(text));
  }

  close(): void {
    this.#controller.close();
  }
}

async function openWatch(app: TestApplication, init: RequestInit = {}) {
  const body = new OpenBody();
  const response = app.fetch("/v3/watch", { method: "POST", body: body.stream, ...init });
  await until(() => app.fake.streams.length > 0);
  return { body, response, held: app.fake.streams.at(-1) as HeldStream };
}

test("a watch delivers requests as they come and one line per chunk", async () => {
  const app = testApplication();
  const { body, response, held } = await openWatch(app);
  body.write('{"create_request":{"key":"Zm9v"}} {"create_req');
  await until(() => held.received.length === 1);
  body.write('uest":{"key":"fX0=","filters":["NOPUT"]}}');
  await until(() => held.received.length === 2);
  expect(held.received[1]).toMatchObject({ create_request: { filters: [0] } });
  expect(held.call.send({ header: HEADER, created: true })).toBe(true);
  const writer = new ProtoWriter();
  encodeWatchResponse(writer, { watch_id: 1, events: [{ kv: { key: Buffer.from("<") } }] });
  held.call.sendEncoded(writer.finish());
  const answer = await response;
  expect([answer.status, answer.headers.get("content-type")]).toEqual([200, "application/json"]);
  expect(answer.headers.get("grpc-metadata-content-type")).toBe("application/grpc");
  const reader = answer.body!.getReader();
  const lines = [await reader.read(), await reader.read()].map(({ value }) =>
    decoder.decode(value),
  );
  expect(lines).toEqual([
    '{"result":{"header":{"cluster_id":"10144879847569953045","member_id":"12428976124636271536","revision":"5","raft_term":"2"},"created":true}}\n',
    '{"result":{"watch_id":"1","events":[{"kv":{"key":"PA=="}}]}}\n',
  ]);
  body.close();
  await until(() => held.ended);
  held.call.fail(errNoLeader);
  expect(decoder.decode((await reader.read()).value)).toBe(
    '{"error":{"code":14,"message":"etcdserver: no leader"}}\n',
  );
  expect((await reader.read()).done).toBe(true);
});

test("an error before the first result sets the status", async () => {
  const app = testApplication();
  app.fake.streamError = errNoLeader;
  expect(await app.post("/v3/watch", "{}")).toEqual([
    503,
    '{"error":{"code":14,"message":"etcdserver: no leader"}}\n',
  ]);
  expect((await app.post("/v3/maintenance/snapshot", "[")).join(" ")).toBe(
    '400 {"code":3, "message":"unexpected EOF"}',
  );
});

test("a request that is none closes the client's half and says nothing", async () => {
  for (const rest of ["x", '{"create_request":1}', "[1]"]) {
    const app = testApplication();
    const { body, held } = await openWatch(app);
    body.write(`{"progress_request":{}}${rest}{"progress_request":{}}`);
    await until(() => held.ended || held.received.length > 1);
    expect([rest, held.received.length, held.ended]).toEqual([rest, 1, true]);
    held.call.end();
  }
});

test("a stream without results ends with an empty body", async () => {
  const app = testApplication();
  const { body, response, held } = await openWatch(app);
  body.close();
  await until(() => held.ended);
  held.call.end();
  const answer = await response;
  expect([answer.status, answer.headers.get("content-type"), await answer.text()]).toEqual([
    200,
    null,
    "",
  ]);
});

test("a full queue stops the service until the client reads", async () => {
  const app = testApplication();
  const response = app.fetch("/v3/maintenance/snapshot", { method: "POST", body: "{}" });
  await until(() => app.fake.streams.length > 0);
  const { call } = app.fake.streams[0]!;
  const blob = Buffer.alloc(32 * 1024);
  let drains = 0;
  call.onDrain(() => drains++);
  let sent = 0;
  while (call.send({ blob })) sent++;
  expect(sent).toBeWithin(3, 9);
  expect(call.queuedBytes).toBeGreaterThanOrEqual(256 * 1024);
  const reader = (await response).body!.getReader();
  expect(drains).toBe(0);
  await reader.read();
  await reader.read();
  await until(() => drains === 1);
  while (call.send({ blob }));
  let aborted = 0;
  call.onAbort(() => aborted++);
  await reader.cancel();
  expect([aborted, call.aborted, call.send({ blob })]).toEqual([1, true, false]);
});

test("a service that ignores a full queue loses the call, not the memory", async () => {
  const app = testApplication();
  const response = app.fetch("/v3/maintenance/snapshot", { method: "POST", body: "{}" });
  await until(() => app.fake.streams.length > 0);
  const { call } = app.fake.streams[0]!;
  const blob = Buffer.alloc(4 * 1024 * 1024);
  for (let i = 0; i < 20; i++) call.send({ blob });
  expect(call.aborted).toBe(true);
  const body = await (await response).text();
  expect(body.length).toBeLessThan(48 * 1024 * 1024);
  expect(body.slice(body.lastIndexOf("\n", body.length - 2) + 1)).toContain('"code":8');
});

test("deadlines of streams", async () => {
  const app = testApplication();
  const headers = { "Grpc-Timeout": "1S" };
  const silent = await openWatch(app, { headers });
  app.clock.advance(1000);
  const answer = await silent.response;
  expect([answer.status, await answer.text()]).toEqual([
    504,
    '{"error":{"code":4,"message":"context deadline exceeded"}}\n',
  ]);
  expect(silent.held.call.aborted).toBe(true);
  const told = await openWatch(app, { headers });
  const { call } = app.fake.streams[1]!;
  call.send({ created: true });
  app.clock.advance(1000);
  const lines = (await (await told.response).text()).split("\n");
  expect(lines[1]).toBe('{"error":{"code":4,"message":"context deadline exceeded"}}');
});

test("a paused service gets no more requests until it resumes", async () => {
  const app = testApplication();
  const { body, held } = await openWatch(app);
  held.requests!.pause();
  body.write('{"progress_request":{}}{"progress_request":{}}');
  for (let i = 0; i < 20; i++) await new Promise<void>((resolve) => setImmediate(resolve));
  expect(held.received).toHaveLength(0);
  held.requests!.resume();
  await until(() => held.received.length === 2);
  held.call.end();
});
