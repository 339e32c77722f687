/** Pages of peer ports over real sockets: plain, TLS both ways, and servers that do not behave. */
import { afterEach, expect, test } from "bun:test";
import * as net from "node:net";
import { makeAuthority } from "../../test/certificates.ts";
import { Listener } from "../http/index.ts";
import { BunClock } from "../io/bun/index.ts";
import { silentLogger } from "../io/index.ts";
import type { TlsFiles } from "../tls/index.ts";
import { fetchPeerPage } from "./index.ts";
import { useTestIdentities } from "./testing/test-identities.ts";

const identities = useTestIdentities();
const { identity } = identities;
const cleanups: (() => unknown)[] = [];

afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
});

async function serve(tls?: TlsFiles, host = "127.0.0.1"): Promise<number> {
  const listener = new Listener({
    clock: new BunClock(),
    logger: silentLogger,
    url: `${tls === undefined ? "http" : "https"}://${host}:0`,
    ...(tls === undefined ? {} : { tls }),
    name: "peer",
    fetch: (request) =>
      new Response(`[${"x".repeat(100_000)}] of ${new URL(request.url).pathname}`, {
        headers: { "x-etcd-cluster-id": "abc" },
      }),
  });
  await listener.start();
  cleanups.push(() => listener.stop(0));
  return (listener.address as { port: number }).port;
}

/** Answers everything with these bytes. */
async function raw(answer: string): Promise<string> {
  const server = net.createServer((socket) => {
    socket.on("error", () => {});
    socket.on("data", () => socket.end(answer));
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  cleanups.push(() => server.close());
  return `http://127.0.0.1:${(server.address() as net.AddressInfo).port}`;
}

test("a page comes with status, headers and body", async () => {
  const page = await fetchPeerPage(
    `http://127.0.0.1:${await serve()}`,
    "/members",
    undefined,
    2000,
  );
  if ("error" in page) throw new Error(page.error);
  expect(page.status).toBe(200);
  expect(page.headers.get("x-etcd-cluster-id")).toBe("abc");
  expect(page.body).toBe(`[${"x".repeat(100_000)}] of /members`);
});

test("TLS: both ends verify each other", async () => {
  const server = await identity("member-1");
  const port = await serve(server);
  const good = await fetchPeerPage(
    `https://127.0.0.1:${port}`,
    "/version",
    await identity("m2"),
    2000,
  );
  expect(good).toMatchObject({ status: 200 });
  const named = await fetchPeerPage(
    `https://localhost:${port}`,
    "/version",
    await identity("m2"),
    2000,
  );
  expect(named).toMatchObject({ status: 200 });
  const stranger = await identity("m3", await makeAuthority("another"));
  const refused = await fetchPeerPage(`https://127.0.0.1:${port}`, "/version", stranger, 2000);
  expect(refused).toHaveProperty("error");
  const mixed = {
    ...(await identity("m4", await makeAuthority("third"))),
    trustedCaFile: server.trustedCaFile!,
  };
  expect(await fetchPeerPage(`https://127.0.0.1:${port}`, "/", mixed, 2000)).toHaveProperty(
    "error",
  );
  const missing = { ...server, certFile: `${identities.directory.path}/none.pem` };
  const failure = await fetchPeerPage(`https://127.0.0.1:${port}`, "/", missing, 2000);
  expect(failure).toEqual({
    error: `open ${identities.directory.path}/none.pem: no such file or directory`,
  });
});

test("TLS: a certificate for another host is refused", async () => {
  const port = await serve(await identity("member-1"), "127.0.0.2");
  const page = await fetchPeerPage(`https://127.0.0.2:${port}`, "/", await identity("m2"), 2000);
  expect(page).toHaveProperty("error");
});

test("TLS: only allowed names are talked to", async () => {
  const port = await serve(await identity("member-1"));
  const files = await identity("m2");
  const ask = (over: Partial<TlsFiles>) =>
    fetchPeerPage(`https://127.0.0.1:${port}`, "/", { ...files, ...over }, 2000);
  expect(await ask({ allowedCommonNames: ["x", "member-1"] })).toMatchObject({ status: 200 });
  expect(await ask({ allowedHostnames: ["localhost"] })).toMatchObject({ status: 200 });
  const refusal = { error: "client certificate authentication failed" };
  expect(await ask({ allowedCommonNames: ["member-2"] })).toEqual(refusal);
  expect(await ask({ allowedHostnames: ["example.org"] })).toEqual(refusal);
});

test("servers that do not behave are errors with a cause", async () => {
  const error = async (answer: string): Promise<string> => {
    const page = await fetchPeerPage(await raw(answer), "/x", undefined, 500);
    return "error" in page ? page.error.replace(/^.*\/x: /, "") : page.body;
  };
  expect(await error("HTTP/1.1 200 OK\r\n\r\nuntil the end")).toBe("until the end");
  expect(
    await error(
      "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n2;x\r\nde\r\n0\r\n\r\n",
    ),
  ).toBe("abcde");
  expect(await error("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nabc")).toContain(
    "closed within",
  );
  expect(await error("SSH-2.0-OpenSSH\r\n")).toBe("the answer is not HTTP");
  expect(await error("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n")).toBe(
    "malformed chunk",
  );
  expect(await error("")).toContain("closed without");
  expect(await error(`HTTP/1.1 200 OK\r\n${"a: b\r\n".repeat(4000)}`)).toContain("does not end");
  const silent = net.createServer(() => {});
  await new Promise<void>((resolve) => silent.listen(0, "127.0.0.1", resolve));
  cleanups.push(() => silent.close());
  const { port } = silent.address() as net.AddressInfo;
  expect(await fetchPeerPage(`http://127.0.0.1:${port}`, "/x", undefined, 100)).toEqual({
    error: `GET http://127.0.0.1:${port}/x: i/o timeout`,
  });
  expect(await fetchPeerPage("http://127.0.0.1:1", "/x", undefined, 500)).toHaveProperty("error");
  expect(await fetchPeerPage("ftp://h", "/x", undefined, 500)).toEqual({
    error: "bad peer URL ftp://h",
  });
});
