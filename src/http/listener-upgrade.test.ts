/** Connections that ask for a protocol of our own: told apart by their first bytes, however they come. */
import { afterEach, describe, expect, test } from "bun:test";
import * as net from "node:net";
import { BunClock } from "../io/bun/index.ts";
import { silentLogger } from "../io/index.ts";
import { Listener, type UpgradeRequest } from "./index.ts";
import { protocolOf } from "./listener-first-bytes.ts";

const PATH = "/own/protocol";
const HEAD = `GET ${PATH} HTTP/1.1\r\nHost: x\r\nUpgrade: own\r\n\r\n`;
const cleanups: (() => unknown)[] = [];
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
});

describe("protocolOf", () => {
  test("an upgrade, at every length", () => {
    const bytes = Buffer.from(`${HEAD}rest`);
    for (let length = 1; length < HEAD.length; length++) {
      expect(protocolOf(bytes.subarray(0, length), PATH)).toBe("more");
    }
    const headers = new Map([
      ["host", "x"],
      ["upgrade", "own"],
    ]);
    expect(protocolOf(bytes, PATH)).toEqual({ headers, bodyOffset: HEAD.length });
    expect(protocolOf(bytes, null)).toBe("http1");
  });

  test.each([
    ["GET /own/protocol2 HTTP/1.1\r\n\r\n", "http1"],
    ["GET /own/protocol?a HTTP/1.1\r\n\r\n", "http1"],
    ["POST /own/protocol HTTP/1.1\r\n\r\n", "http1"],
    [`GET ${PATH} HTTP/1.1\r\nno field\r\n\r\n`, "http1"],
    [`GET ${PATH} HTTP/1.1\r\na: ${"b".repeat(20_000)}`, "http1"],
    ["PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", "http2"],
    ["PRI * HTTP", "more"],
    ["P", "more"],
    ["\u0000", "http1"],
  ] as const)("%p", (text, found) => {
    expect(protocolOf(Buffer.from(text, "latin1"), PATH)).toBe(found);
  });

  test("no header fields at all", () => {
    const bytes = Buffer.from(`GET ${PATH} HTTP/1.1\r\n\r\n`);
    expect(protocolOf(bytes, PATH)).toEqual({ headers: new Map(), bodyOffset: bytes.length });
  });
});

test("Listener hands an upgrade over with what followed, and serves everything else", async () => {
  const requests: UpgradeRequest[] = [];
  const listener = new Listener({
    ...{ clock: new BunClock(), logger: silentLogger, url: "http://127.0.0.1:0" },
    fetch: () => new Response("page"),
    upgrade: {
      path: PATH,
      accept: (request, socket, head) => {
        requests.push(request);
        socket.write(`own ${Buffer.from(head)};`);
        socket.on("data", (chunk: Buffer) => socket.write(`more ${chunk};`));
      },
    },
  });
  await listener.start();
  cleanups.push(() => listener.stop(0));
  const { port } = listener.address as { port: number };
  const socket = net.connect(port, "127.0.0.1");
  cleanups.push(() => socket.destroy());
  let answer = "";
  const seen = (text: string): Promise<void> =>
    new Promise((resolve) => {
      const look = (): void => {
        if (answer.endsWith(text)) resolve();
      };
      socket.on("data", look);
      look();
    });
  socket.on("data", (chunk) => {
    answer += chunk;
  });
  socket.write(HEAD.slice(0, 20));
  await new Promise((resolve) => setTimeout(resolve, 5));
  socket.write(`${HEAD.slice(20)}begin`);
  await seen("own begin;");
  socket.write("end");
  await seen("more end;");
  expect(requests).toHaveLength(1);
  expect(requests[0]!.headers.get("upgrade")).toBe("own");
  expect(requests[0]!.peerAddress).toMatch(/^127\.0\.0\.1:\d+$/);
  const page = await fetch(`http://127.0.0.1:${port}/own/other`);
  expect(await page.text()).toBe("page");
  await listener.stop(0);
  expect(listener.connectionCount).toBe(0);
});
