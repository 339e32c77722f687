// What a client may and may not repeat, deadlines, failover and credentials, against members that misbehave.

import { afterEach, expect, test } from "bun:test";
import { EtcdError, type PutRequest, type RangeRequest } from "../api/index.ts";
import { utf8, utf8Text } from "../base/bytes.ts";
import { BunClock } from "../io/bun/index.ts";
import { type AttemptFailure, Client, type ClientOptions } from "./index.ts";
import { FakeMember, type OnRequest } from "./testing/fake-member.ts";

const clock = new BunClock();
const open: { close?(): void; stop?(): void }[] = [];
afterEach(() => {
  for (const each of open.splice(0)) (each.close ?? each.stop)!.call(each);
});

async function member(onRequest: OnRequest): Promise<FakeMember> {
  const started = await FakeMember.start(onRequest);
  open.push(started);
  return started;
}

function client(endpoints: readonly string[], more: Partial<ClientOptions> = {}): Client {
  const made = new Client({ clock, endpoints, ...more });
  open.push(made);
  return made;
}

const KEY = utf8("k");

async function errorOf(promise: Promise<unknown>): Promise<EtcdError> {
  const outcome = await promise.then(
    () => null,
    (error: unknown) => error,
  );
  expect(outcome).toBeInstanceOf(EtcdError);
  return outcome as EtcdError;
}

test("a read is repeated after Unavailable until it succeeds", async () => {
  const failures: AttemptFailure[] = [];
  let count = 0;
  const server = await member((_name, _request, call) => {
    if (++count < 3) call.finish(14, "etcdserver: leader changed");
    else call.answer({ count: 7 });
  });
  const one = client([server.endpoint], { onAttemptFailed: (failure) => failures.push(failure) });
  expect((await one.kv.range({ key: KEY })).count).toBe(7);
  expect(count).toBe(3);
  expect(failures.map(({ attempt, code }) => [attempt, code])).toEqual([
    [0, 14],
    [1, 14],
  ]);
});

test("a read is not repeated after other errors", async () => {
  let count = 0;
  const server = await member((_name, _request, call) => {
    count++;
    call.finish(11, "etcdserver: mvcc: required revision has been compacted");
  });
  const error = await errorOf(client([server.endpoint]).kv.range({ key: KEY }));
  expect([error.code, error.message, count]).toEqual([
    11,
    "etcdserver: mvcc: required revision has been compacted",
    1,
  ]);
});

// Incident 23: lost updates by a client library that repeated what may have happened.
test("a write is never sent twice, whatever becomes of it", async () => {
  const ends: ((call: Parameters<OnRequest>[2]) => void)[] = [
    (call) => call.finish(14, "etcdserver: request timed out"),
    (call) => call.cut(),
    (call) => call.finish(13, "broken"),
  ];
  for (const end of ends) {
    const values: string[] = [];
    const onRequest: OnRequest = (_name, request: PutRequest, call) => {
      values.push(utf8Text(request.value));
      end(call);
    };
    const servers = [await member(onRequest), await member(onRequest)];
    const both = client(servers.map(({ endpoint }) => endpoint));
    const error = await errorOf(both.kv.put({ key: KEY, value: utf8("v") }, { timeoutMs: 3000 }));
    expect([13, 14]).toContain(error.code);
    expect(values).toEqual(["v"]);
  }
});

test("a transaction that writes is not repeated, one that only reads is", async () => {
  let count = 0;
  const server = await member((_name, _request, call) => {
    if (++count < 2) call.finish(14, "etcdserver: leader changed");
    else call.answer({ succeeded: true });
  });
  const one = client([server.endpoint]);
  const read = { success: [{ request_range: { key: KEY } }] };
  expect((await one.kv.txn(read)).succeeded).toBe(true);
  count = 0;
  const write = { failure: [{ request_put: { key: KEY } }] };
  expect((await errorOf(one.kv.txn(write))).code).toBe(14);
  expect(count).toBe(1);
});

test("calls go to the endpoints that are up, in turn", async () => {
  const seen: number[] = [];
  const answer =
    (index: number): OnRequest =>
    (_name, _request, call) => {
      seen.push(index);
      call.answer({});
    };
  const [a, b] = [await member(answer(0)), await member(answer(1))];
  const three = client(["127.0.0.1:1", a.endpoint, b.endpoint]);
  for (let i = 0; i < 4; i++) await three.kv.range({ key: KEY });
  // The first call may find only one of them connected.
  while (seen.length < 100 && new Set(seen).size < 2) {
    await three.kv.range({ key: KEY });
  }
  expect(new Set(seen)).toEqual(new Set([0, 1]));
});

test("a deadline ends a call, also one that waits for a connection", async () => {
  let timeout: unknown;
  const silent = await member((_name, _request, call) => {
    timeout = call.headers["grpc-timeout"];
  });
  const waiting = await errorOf(client([silent.endpoint]).kv.put({ key: KEY }, { timeoutMs: 80 }));
  expect([waiting.code, waiting.message]).toEqual([4, "context deadline exceeded"]);
  expect(String(timeout)).toMatch(/^[0-9]{1,2}m$/);
  const failures: AttemptFailure[] = [];
  const nobody = client(["127.0.0.1:1"], { onAttemptFailed: (failure) => failures.push(failure) });
  const error = await errorOf(nobody.kv.put({ key: KEY }, { timeoutMs: 80 }));
  expect([error.code, error.message]).toEqual([4, "context deadline exceeded"]);
  expect(failures[0]!.description).toContain("dial tcp 127.0.0.1:1: connect: connection refused");
});

test("an aborted call ends at once", async () => {
  const controller = new AbortController();
  const silent = await member(() => controller.abort());
  const one = client([silent.endpoint]);
  const error = await errorOf(one.kv.range({ key: KEY }, { signal: controller.signal }));
  expect(error.code).toBe(1);
});

test("a request over the limit is refused before it is sent", async () => {
  let count = 0;
  const server = await member(() => count++);
  const one = client([server.endpoint]);
  const error = await errorOf(one.kv.put({ key: KEY, value: new Uint8Array(3 << 20) }));
  expect(error.code).toBe(8);
  expect(error.message).toMatch(/^trying to send message larger than max \([0-9]+ vs\. 2097152\)$/);
  expect(count).toBe(0);
});

test("an answer over the limit is refused", async () => {
  const server = await member((_name, _request, call) =>
    call.answer({ kvs: [{ key: KEY, value: new Uint8Array(5000) }] }),
  );
  const one = client([server.endpoint], { receiveBytesMax: 4096 });
  const error = await errorOf(one.kv.range({ key: KEY }));
  expect(error.code).toBe(8);
  expect(error.message).toMatch(/^grpc: received message larger than max/);
});

test("texts of errors travel percent-encoded", async () => {
  const server = await member((_name, _request, call) => call.finish(9, "caf%C3%A9 100%25 %zz"));
  const error = await errorOf(client([server.endpoint]).kv.range({ key: KEY }));
  expect([error.code, error.message]).toEqual([9, "café 100% %zz"]);
});

test("a refused token is replaced by a new one and the call is made again, once", async () => {
  let logins = 0;
  const tokens: unknown[] = [];
  const server = await member((name, _request: RangeRequest, call) => {
    if (name === "Authenticate") return call.answer({ token: `t${++logins}` });
    tokens.push(call.headers.token);
    if (call.headers.token === "t2") return call.answer({ count: 1 });
    call.finish(16, "etcdserver: invalid auth token");
  });
  const user = client([server.endpoint], { user: "root", password: "x" });
  await user.logIn();
  expect((await user.kv.range({ key: KEY })).count).toBe(1);
  expect(tokens).toEqual(["t1", "t2"]);
});
