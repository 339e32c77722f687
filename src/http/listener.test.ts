import { afterEach, describe, expect, test } from "bun:test";
import { existsSync } from "node:fs";
import * as http from "node:http";
import * as http2 from "node:http2";
import * as net from "node:net";
import { join } from "node:path";
import { CertificateDirectory } from "../../test/certificates.ts";
import {
  envelope,
  type Fixture,
  firstValue,
  rangeMessage,
  rawCall,
  startFixture,
  until,
} from "../../test/grpc-fixture.ts";
import type { RangeResponseInit, UnaryCall } from "../api/index.ts";
import type { RequestInfo } from "./index.ts";
import { parseListenUrl } from "./listener-address.ts";

const RANGE = "/etcdserverpb.KV/Range";
const cleanups: (() => unknown)[] = [];
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
});

async function start(...options: Parameters<typeof startFixture>): Promise<Fixture> {
  const fixture = await startFixture(...options);
  cleanups.push(() => fixture.listener.stop(0));
  return fixture;
}

function connect(
  url: string,
  options: http2.SecureClientSessionOptions = {},
): http2.ClientHttp2Session {
  const session = http2.connect(url, options);
  session.on("error", () => {});
  cleanups.push(() => session.destroy());
  return session;
}

const call = (session: http2.ClientHttp2Session) =>
  rawCall(session, RANGE, [envelope(rangeMessage("k"))]);

async function echo(request: Request, info: RequestInfo): Promise<Response> {
  const body = request.method === "GET" ? "" : await request.text();
  const text = `${request.method} ${new URL(request.url).pathname} ${info.httpVersion} ${body.length} ${request.headers.get("x-test")}`;
  return new Response(text, { status: 201, headers: { "x-answer": "yes" } });
}

describe("one port", () => {
  test("HTTP/1.1, HTTP/2 in clear and gRPC, with bodies", async () => {
    const { port } = await start({}, { fetch: echo });
    const url = `http://127.0.0.1:${port}`;
    const session = connect(url);
    expect((await call(session)).code).toBe("0");
    const body = "b".repeat(300_000);
    const second = await rawCall(session, "/v3/x", [Buffer.from(body)], {
      "content-type": "application/json",
      "x-test": "2",
    });
    expect(second.body.toString()).toBe("POST /v3/x 2 300000 2");
    const first = await fetch(`${url}/v3/y`, { method: "POST", body, headers: { "x-test": "1" } });
    expect([first.status, first.headers.get("x-answer"), await first.text()]).toEqual([
      201,
      "yes",
      "POST /v3/y 1.1 300000 1",
    ]);
    const get = await fetch(`${url}/z`);
    expect(await get.text()).toBe("GET /z 1.1 0 null");
  });

  test("keep-alive of HTTP/1.1, pipelined requests, first bytes one by one", async () => {
    const { port } = await start({}, { fetch: echo });
    const socket = net.connect(port, "127.0.0.1");
    cleanups.push(() => socket.destroy());
    let seen = "";
    socket.on("data", (chunk) => {
      seen += chunk;
    });
    socket.setNoDelay(true);
    const request = "GET /a HTTP/1.1\r\nhost: x\r\n\r\n";
    for (const character of request) socket.write(character);
    await until(() => seen.includes("GET /a 1.1"));
    socket.write(request.replace("/a", "/b") + request.replace("/a", "/c"));
    await until(() => seen.includes("GET /b 1.1") && seen.includes("GET /c 1.1"));
  });

  test("streams answers on both versions, and hears when the client leaves", async () => {
    let aborted = 0;
    const { port } = await start(
      {},
      {
        fetch: (request) => {
          request.signal.addEventListener("abort", () => aborted++);
          let count = 0;
          const body = new ReadableStream({
            pull(controller) {
              controller.enqueue(new TextEncoder().encode(`line ${count++}\n`.repeat(5000)));
              return new Promise((resolve) => setTimeout(resolve, 1));
            },
          });
          return new Response(body);
        },
      },
    );
    const session = connect(`http://127.0.0.1:${port}`);
    const stream = session.request({ ":path": "/watch" });
    let bytes = 0;
    stream.on("data", (chunk: Buffer) => {
      bytes += chunk.length;
    });
    stream.on("error", () => {});
    await until(() => bytes > 500_000);
    stream.close(8);
    await until(() => aborted === 1);
    const request = http.get({ port, host: "127.0.0.1", path: "/watch" });
    request.on("error", () => {});
    request.on("response", (response) => response.once("data", () => request.destroy()));
    await until(() => aborted === 2);
  });

  test("an error of the handler is a 500, strange targets a 400", async () => {
    const { port } = await start(
      {},
      {
        fetch: () => {
          throw new Error("broken");
        },
      },
    );
    const session = connect(`http://127.0.0.1:${port}`);
    const json = { "content-type": "application/json" };
    expect((await rawCall(session, "/x", [], json)).httpStatus).toBe(500);
    expect((await rawCall(session, "*", [], json)).httpStatus).toBe(400);
    expect((await fetch(`http://127.0.0.1:${port}/x`)).status).toBe(500);
    // A junk :authority does not matter.
    expect(
      (
        await rawCall(session, RANGE, [envelope(rangeMessage("k"))], {
          ":authority": '#initially=["x"]',
        })
      ).code,
    ).toBe("0");
  });

  test("listeners for gRPC only and for HTTP only", async () => {
    const grpcOnly = await start({}, { fetch: undefined });
    expect((await call(connect(`http://127.0.0.1:${grpcOnly.port}`))).code).toBe("0");
    expect(await fetch(`http://127.0.0.1:${grpcOnly.port}/`).catch(() => "refused")).toBe(
      "refused",
    );
    const httpOnly = await start({}, { grpc: undefined });
    const reply = await call(connect(`http://127.0.0.1:${httpOnly.port}`));
    expect(reply.httpStatus).toBe(404);
  });
});

test("unix sockets: a stale file is replaced, the file goes with the listener", async () => {
  const directory = new CertificateDirectory();
  cleanups.push(() => directory.remove());
  const path = join(directory.path, "cairn.sock");
  const stale = await start({}, { url: `unix://${path}` });
  expect(stale.listener.address).toEqual({ path });
  const fixture = await start({}, { url: `unix://${path}` });
  const session = connect("http://localhost", {
    createConnection: () => net.connect(path) as never,
  });
  expect((await call(session)).code).toBe("0");
  await fixture.listener.stop(0);
  expect(existsSync(path)).toBe(false);
});

test("a file that is no socket is not removed", async () => {
  const directory = new CertificateDirectory();
  cleanups.push(() => directory.remove());
  const path = directory.write("data", "precious");
  const error = await startFixture({}, { url: `unix://${path}` }).catch(
    (reason: unknown) => reason,
  );
  expect(error).toBeInstanceOf(Error);
  expect(existsSync(path)).toBe(true);
});

test("connections above the limit are closed, places become free again", async () => {
  const { port, listener } = await start({}, { connectionsMax: 2 });
  const sockets = [0, 1].map(() => net.connect(port, "127.0.0.1"));
  cleanups.push(...sockets.map((socket) => () => socket.destroy()));
  await until(() => listener.connectionCount === 2);
  const third = net.connect(port, "127.0.0.1");
  let closed = false;
  third.on("close", () => {
    closed = true;
  });
  third.on("error", () => {});
  await until(() => closed);
  sockets[0]!.destroy();
  await until(() => listener.connectionCount === 1);
  expect((await call(connect(`http://127.0.0.1:${port}`))).code).toBe("0");
});

test("a port in use is an error", async () => {
  const { port } = await start();
  const error = await startFixture({}, { url: `http://127.0.0.1:${port}` }).catch(
    (reason: unknown) => reason,
  );
  expect(String(error)).toContain("EADDRINUSE");
});

describe("stopping", () => {
  test("running calls finish, the client hears GOAWAY, new connections are refused", async () => {
    const calls: UnaryCall<RangeResponseInit>[] = [];
    const fixture = await start({ range: (_request, running) => calls.push(running) });
    const session = connect(`http://127.0.0.1:${fixture.port}`);
    let goaway = -1;
    session.on("goaway", (code: number) => {
      goaway = code;
    });
    const reply = call(session);
    await until(() => calls.length === 1);
    const stopped = fixture.listener.stop(10_000);
    await until(() => goaway === 0);
    calls[0]!.succeed({ count: 1 });
    expect((await reply).code).toBe("0");
    await stopped;
    expect(fixture.listener.connectionCount).toBe(0);
    const refused = await fetch(`http://127.0.0.1:${fixture.port}/`).catch(() => "refused");
    expect(refused).toBe("refused");
  });

  test("calls that do not finish in time are aborted", async () => {
    let aborted = false;
    let running = false;
    const fixture = await start({
      range: (_request, held) => {
        running = true;
        held.onAbort(() => {
          aborted = true;
        });
      },
    });
    const session = connect(`http://127.0.0.1:${fixture.port}`);
    const reply = call(session).catch(() => "lost");
    await until(() => running);
    await fixture.listener.stop(20);
    // Not some time later: what calls hold open is closed next.
    expect(aborted).toBe(true);
    await reply;
  });
});

test("a silent peer is pinged and then dropped", async () => {
  const { port, listener } = await start(
    {},
    {
      keepalive: { minIntervalMs: 5000, permitWithoutStream: false, intervalMs: 30, timeoutMs: 30 },
    },
  );
  const alive = connect(`http://127.0.0.1:${port}`);
  await call(alive);
  const dead = net.connect(port, "127.0.0.1");
  dead.on("error", () => {});
  dead.on("data", () => {});
  let closed = false;
  dead.on("close", () => {
    closed = true;
  });
  dead.write("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0");
  await until(() => closed);
  expect(listener.connectionCount).toBe(1);
  expect((await call(alive)).code).toBe("0");
});

test("a peer that says nothing at all is dropped after the header timeout", async () => {
  const { port } = await start({}, { headerTimeoutMs: 30 });
  const socket = net.connect(port, "127.0.0.1");
  let closed = false;
  socket.on("close", () => {
    closed = true;
  });
  await until(() => closed);
});

test("HTTP/1.1: headers that dribble and idle connections are cut, slow answers are not", async () => {
  const { port } = await start(
    {},
    {
      headerTimeoutMs: 100,
      fetch: async () => {
        await new Promise((resolve) => setTimeout(resolve, 250));
        return new Response("slow");
      },
    },
  );
  const outcome = (text: string): Promise<string> =>
    new Promise((resolve) => {
      let seen = "";
      const socket = net.connect(port, "127.0.0.1", () => socket.write(text));
      socket.on("data", (chunk) => {
        seen += chunk;
      });
      socket.on("error", () => {});
      socket.on("close", () => resolve(seen));
    });
  expect(await outcome("GET / HTTP/1.1\r\nhost: a\r\nx-long: ")).toBe("");
  expect(await outcome("GET / HTTP/1.1\r\nhost: a\r\n\r\n")).toContain("slow");
});

test("a slow reader of a big answer gets it unchanged, and stalls nobody", async () => {
  const value = Buffer.alloc(40_000_000);
  for (let i = 0; i < value.length; i += 4) value.writeUInt32LE(i, i);
  const { port } = await start({
    range: (request, held) => {
      const size = request.key.length === 3 ? value.length : 10;
      held.succeed({ kvs: [{ key: request.key, value: value.subarray(0, size) }] });
    },
  });
  const session = connect(`http://127.0.0.1:${port}`);
  const slow = session.request({
    ":method": "POST",
    ":path": RANGE,
    "content-type": "application/grpc",
  });
  const chunks: Buffer[] = [];
  let bytes = 0;
  slow.end(envelope(rangeMessage("big")));
  await new Promise((resolve) => slow.on("response", resolve));
  for (let i = 0; i < 20; i++) expect((await call(session)).code).toBe("0");
  slow.on("data", (chunk: Buffer) => {
    chunks.push(chunk);
    bytes += chunk.length;
  });
  await until(() => bytes > value.length, 20_000);
  expect(firstValue(Buffer.concat(chunks)).equals(value)).toBe(true);
});

test("parseListenUrl", () => {
  expect(parseListenUrl("http://localhost:2379")).toEqual({
    kind: "tcp",
    tls: false,
    host: "127.0.0.1",
    port: 2379,
  });
  expect(parseListenUrl("https://[::1]:2379/")).toEqual({
    kind: "tcp",
    tls: true,
    host: "::1",
    port: 2379,
  });
  expect(parseListenUrl("unixs://name:0")).toEqual({ kind: "unix", tls: true, path: "name:0" });
  for (const bad of ["ftp://a:1", "http://a", "http://a:99999", "unix://", "http://a:1/path"]) {
    expect(() => parseListenUrl(bad)).toThrow();
  }
});

test("https without certificates is refused", () => {
  const fixture = startFixture({}, { url: "https://127.0.0.1:0" }).catch(
    (reason: Error) => reason.message,
  );
  return fixture.then((message) =>
    expect(message).toBe(
      "TLS key/cert (--cert-file, --key-file) must be provided for client url https://127.0.0.1:0 with HTTPS scheme",
    ),
  );
});
