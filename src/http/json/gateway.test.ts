import { expect, test } from "bun:test";
import { errLeaseNotFound } from "../../api/index.ts";
import { testApplication, until } from "../test-application.ts";

const HEADER_TEXT =
  '{"header":{"cluster_id":"10144879847569953045", "member_id":"12428976124636271536", "revision":"5", "raft_term":"2"}';

test("unary calls answer with etcd's status, headers and bytes", async () => {
  const { fetch, post } = testApplication();
  const body = '{"key":"Zm9v","value":"YmFy"}';
  const response = await fetch("/v3/kv/put", { method: "POST", body });
  expect(response.status).toBe(200);
  expect(Object.fromEntries(response.headers)).toEqual({
    "access-control-allow-headers": "accept, content-type, authorization",
    "access-control-allow-methods": "POST, GET, OPTIONS, PUT, DELETE",
    "access-control-allow-origin": "*",
    "content-type": "application/json",
    "grpc-metadata-content-type": "application/grpc",
    "content-length": "117",
  });
  expect(await response.text()).toBe(`${HEADER_TEXT}}`);
  for (const prefix of ["/v3", "/v3beta", "/v3alpha"]) {
    expect(await post(`${prefix}/kv/range`, '{"key":"Zm9v"}')).toEqual([
      200,
      `${HEADER_TEXT}, "kvs":[{"key":"Zm9v", "create_revision":"2", "mod_revision":"3", "version":"2", "value":"YmFy"}], "count":"1"}`,
    ]);
  }
});

test("errors carry code and message, and the status of the code", async () => {
  const { post, fetch } = testApplication();
  const cases: readonly (readonly [string, string, number, string])[] = [
    ["/v3/kv/put", "", 400, '{"code":3, "message":"etcdserver: key is not provided"}'],
    ["/v3/kv/put", "{", 400, '{"code":3, "message":"unexpected EOF"}'],
    [
      "/v3/kv/put",
      '{"key":"!!"}',
      400,
      '{"code":3, "message":"proto:\u00a0(line 1:8): invalid value for bytes field key: \\"!!\\""}',
    ],
    ["/v3/nothing", "{}", 404, '{"code":5, "message":"Not Found"}'],
    ["/v3/kv/range/", "{}", 404, '{"code":5, "message":"Not Found"}'],
    ["/v3/auth/enable", "{}", 501, '{"code":12, "message":"unknown service etcdserverpb.Auth"}'],
    [
      "/v3/kv/txn",
      "{}",
      501,
      '{"code":12, "message":"unknown method Txn for service etcdserverpb.KV"}',
    ],
    [
      "/v3/kv/txn",
      "x",
      400,
      `{"code":3, "message":"invalid character 'x' looking for beginning of value"}`,
    ],
  ];
  for (const [path, body, status, text] of cases) {
    expect([path, ...(await post(path, body))]).toEqual([path, status, text]);
  }
  for (const method of ["GET", "PUT", "DELETE", "HEAD"]) {
    const response = await fetch("/v3/kv/put", { method });
    expect(response.status).toBe(501);
    const text = method === "HEAD" ? "" : '{"code":12, "message":"Method Not Allowed"}';
    expect(await response.text()).toBe(text);
  }
});

test("headers become the call's metadata", async () => {
  const { post, fake } = testApplication();
  const put = (headers: Record<string, string>) => post("/v3/kv/put", '{"key":"YQ=="}', headers);
  await put({ Authorization: "token-1" });
  await put({ "Grpc-Metadata-Token": "token-2", Authorization: "token-1" });
  await put({ "Grpc-Metadata-Authorization": "token-3" });
  await put({ "Grpc-Metadata-Hasleader": "true", "Grpc-Metadata-Client-Api-Version": "3.5" });
  expect(fake.contexts.map((context) => context.token)).toEqual([
    "token-1",
    "token-2",
    "token-3",
    null,
  ]);
  expect(fake.contexts.map((context) => context.requireLeader)).toEqual([
    false,
    false,
    false,
    true,
  ]);
  expect(fake.contexts.at(-1)).toMatchObject({ clientApiVersion: "3.5", viaGateway: true });
});

test("deadlines end calls that wait, and tell the service", async () => {
  const { post, fake, clock } = testApplication();
  const timeout = (value: string) => ({ "Grpc-Timeout": value });
  const waiting = post("/v3/kv/compaction", "{}", timeout("500m"));
  await until(() => clock.pending === 1);
  let aborted = 0;
  fake.held[0]!.onAbort(() => aborted++);
  expect(fake.held[0]!.context.deadlineMs).toBe(1500);
  clock.advance(500);
  expect(await waiting).toEqual([504, '{"code":4, "message":"context deadline exceeded"}']);
  expect([aborted, fake.held[0]!.aborted, clock.pending]).toEqual([1, true, 0]);
  fake.held[0]!.succeed({});
  expect(await post("/v3/kv/put", "{}", timeout("x"))).toEqual([
    400,
    '{"code":3, "message":"invalid grpc-timeout: x"}',
  ]);
  const answered = post("/v3/kv/compaction", "{}", timeout("1H"));
  await until(() => fake.held.length === 2);
  fake.held[1]!.fail(errLeaseNotFound);
  expect((await answered)[0]).toBe(404);
  expect(clock.pending).toBe(0);
});

test("a client that goes away aborts its call", async () => {
  const { fetch, fake } = testApplication();
  const abort = new AbortController();
  const waiting = fetch("/v3/kv/compaction", { method: "POST", body: "{}", signal: abort.signal });
  await until(() => fake.held.length === 1);
  let aborted = 0;
  fake.held[0]!.onAbort(() => aborted++);
  abort.abort();
  expect((await waiting).status).toBe(499);
  expect(aborted).toBe(1);
});

test("messages over the limit are refused, whatever their spelling", async () => {
  const { post, fake } = testApplication({ messageBytesMax: 1000 });
  const body = (bytes: number): string =>
    `{"key":"YQ==","value":"${Buffer.alloc(bytes).toString("base64")}"}`;
  expect((await post("/v3/kv/put", body(990)))[0]).toBe(200);
  expect(await post("/v3/kv/put", body(1200))).toEqual([
    429,
    '{"code":8, "message":"grpc: received message larger than max (1206 vs. 1000)"}',
  ]);
  const endless = new ReadableStream<Uint8Array>({
    pull: (controller) => controller.enqueue(Buffer.alloc(500, " ")),
  });
  expect((await post("/v3/kv/put", endless))[0]).toBe(429);
  expect(fake.store.size).toBe(1);
});

test("calls are counted with those of gRPC", async () => {
  const counters = {
    methods: [{ path: "/other" }, { path: "/etcdserverpb.KV/Put" }],
    started: new Float64Array(2),
    messagesReceived: new Float64Array(2),
    messagesSent: new Float64Array(2),
    codes: [] as number[],
    finish(index: number, code: number) {
      this.codes.push(index, code);
    },
  };
  const { post } = testApplication({ callCounters: counters });
  await post("/v3/kv/put", '{"key":"YQ=="}');
  await post("/v3/kv/put", "{}");
  await post("/v3/kv/range", "{}");
  expect(counters.codes).toEqual([1, 0, 1, 3]);
  expect([...counters.started, ...counters.messagesSent]).toEqual([0, 2, 0, 1]);
});
