// Members from SRV records, asked of a DNS server on loopback that knows these records only.
import { afterEach, expect, test } from "bun:test";
import { createSocket, type Socket } from "node:dgram";
import { Resolver } from "node:dns/promises";
import type { Logger } from "../../io/index.ts";
import { discoverCluster } from "./discover-srv.ts";

type Target = readonly [port: number, host: string];

let server: Socket | null = null;
afterEach(() => {
  server?.close();
  server = null;
});

function nameBytes(name: string): Buffer {
  const labels = name.split(".").map((label) => Buffer.from(label));
  return Buffer.concat([
    ...labels.flatMap((label) => [Buffer.from([label.length]), label]),
    Buffer.from([0]),
  ]);
}

/** The answer to one question; unknown names do not exist. */
function answerTo(question: Buffer, records: Readonly<Record<string, readonly Target[]>>): Buffer {
  const labels: string[] = [];
  let at = 12;
  for (; question[at] !== 0; at += 1 + question[at]!) {
    labels.push(question.toString("latin1", at + 1, at + 1 + question[at]!));
  }
  const end = at + 5;
  const targets = records[labels.join(".")];
  const header = Buffer.alloc(12);
  question.copy(header, 0, 0, 2);
  header.writeUInt16BE(targets === undefined ? 0x8183 : 0x8180, 2);
  header.writeUInt16BE(1, 4);
  header.writeUInt16BE(targets?.length ?? 0, 6);
  const answers = (targets ?? []).map(([port, host]) => {
    const target = nameBytes(host);
    const fixed = Buffer.alloc(18);
    fixed.writeUInt16BE(0xc00c, 0);
    fixed.writeUInt16BE(33, 2);
    fixed.writeUInt16BE(1, 4);
    fixed.writeUInt32BE(60, 6);
    fixed.writeUInt16BE(6 + target.length, 10);
    fixed.writeUInt16BE(port, 16);
    return Buffer.concat([fixed, target]);
  });
  return Buffer.concat([header, question.subarray(12, end), ...answers]);
}

async function discover(
  records: Readonly<Record<string, readonly Target[]>>,
  advertisedUrls: string[],
  extra: { name?: string; serviceSuffix?: string } = {},
) {
  const socket = createSocket("udp4");
  server = socket;
  socket.on("message", (question, from) => {
    socket.send(answerTo(question, records), from.port, from.address);
  });
  await new Promise<void>((done) => socket.bind(0, "127.0.0.1", done));
  const resolver = new Resolver({ timeout: 2000, tries: 2 });
  resolver.setServers([`127.0.0.1:${socket.address().port}`]);
  const messages: string[] = [];
  const add: Logger["info"] = (message) => messages.push(message);
  const found = await discoverCluster({
    name: "n1",
    domain: "example.test",
    serviceSuffix: "",
    advertisedUrls,
    resolver,
    logger: { debug() {}, info: add, warn: add, error: add },
    ...extra,
  });
  return { found, messages };
}

const HTTP = "_etcd-server._tcp.example.test";
const HTTPS = "_etcd-server-ssl._tcp.example.test";
const ALL: readonly Target[] = [
  [2380, "127.0.0.1"],
  [2381, "localhost"],
  [2382, "127.0.0.1"],
];

function sorted(text: unknown): string[] {
  return String(text).split(",").sort();
}

test("discoverCluster finds its own record by the address that it leads to", async () => {
  const { found, messages } = await discover({ [HTTP]: ALL }, ["http://127.0.0.1:2381"]);
  const parts = sorted(found);
  expect(parts).toContain("n1=http://localhost:2381");
  expect(parts.map((part) => part.split("=")[0])).toEqual(["0", "1", "n1"]);
  expect(parts.map((part) => part.split("=")[1]).sort()).toEqual([
    "http://127.0.0.1:2380",
    "http://127.0.0.1:2382",
    "http://localhost:2381",
  ]);
  expect(messages).toContain("got bootstrap from DNS for etcd-server");
});

test("discoverCluster takes the secure service, and a suffix of its name", async () => {
  const { found } = await discover(
    { "_etcd-server-ssl-prod._tcp.example.test": [[2380, "127.0.0.1"]] },
    ["https://127.0.0.1:2380"],
    { serviceSuffix: "prod" },
  );
  expect(found).toBe("n1=https://127.0.0.1:2380");
});

test("discoverCluster puts both services together", async () => {
  const { found } = await discover({ [HTTPS]: [[1, "127.0.0.1"]], [HTTP]: [[2, "127.0.0.1"]] }, [
    "http://127.0.0.1:2",
  ]);
  expect(sorted(found)).toEqual(["0=https://127.0.0.1:1", "n1=http://127.0.0.1:2"]);
});

test("discoverCluster refuses where nothing is found, and where it is not found itself", async () => {
  const none = await discover({}, ["http://127.0.0.1:2380"]);
  expect(none.found).toEqual({
    failure:
      "error querying DNS SRV records for _etcd-server-ssl lookup _etcd-server-ssl._tcp.example.test: no such host; " +
      "error querying DNS SRV records for _etcd-server lookup _etcd-server._tcp.example.test: no such host",
  });
  server?.close();
  const without = await discover({ [HTTP]: ALL }, ["http://127.0.0.1:9999"]);
  expect(without.found).toEqual({
    failure: 'cannot find local etcd member "n1" in SRV records',
  });
});

test("discoverCluster refuses its own record under the other scheme", async () => {
  const { found } = await discover({ [HTTPS]: [[2380, "127.0.0.1"]] }, ["http://127.0.0.1:2380"]);
  expect((found as { failure: string }).failure).toContain(
    "bootstrap at https://127.0.0.1:2380 from DNS for etcd-server-ssl has scheme mismatch with " +
      "expected peer http://127.0.0.1:2380",
  );
});
