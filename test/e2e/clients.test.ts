// Independent clients from npm against cairn: @grpc/grpc-js with our .proto files and etcd3, over plain
// connections and over mutual TLS.

import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import * as grpc from "@grpc/grpc-js";
import { Etcd3 } from "etcd3";
import { cairnExists } from "../cairn-command.ts";
import { CertificateDirectory, type Leaf, makeAuthority } from "../certificates.ts";
import { GrpcClient, method } from "../differential/grpc-client.ts";
import type { JsonObject } from "../differential/plain.ts";
import { okOf } from "../differential/side.ts";
import { type Member, startMember } from "../reference-etcd.ts";

const testMilliseconds = 30_000;

/** No call was made: the handshake failed, and not for a mistake in the client's own options. */
const unreachable = /"code":14,(?!.*servername)/;

interface Secured {
  readonly member: Member;
  /** By name: Node refuses an address as the name of a TLS server. */
  readonly endpoint: string;
  readonly ca: string;
  readonly client: Leaf;
  readonly stranger: Leaf;
}

async function startSecured(files: CertificateDirectory): Promise<Secured> {
  const authority = await makeAuthority();
  const server = await authority.issue("server");
  const client = await authority.issue("client");
  const stranger = await (await makeAuthority("another authority")).issue("stranger");
  const flags = [
    ...["--cert-file", files.write("server.crt", server.cert)],
    ...["--key-file", files.write("server.key", server.key)],
    ...["--trusted-ca-file", files.write("ca.crt", authority.cert)],
    "--client-cert-auth",
  ];
  const tls = { ca: authority.cert, cert: client.cert, key: client.key };
  const member = await startMember({ kind: "cairn", flags, tls });
  const endpoint = `localhost:${member.ports.client}`;
  return { member, endpoint, ca: authority.cert, client, stranger };
}

function credentials(ca: string, leaf?: Leaf): grpc.ChannelCredentials {
  const text = (value: string) => Buffer.from(value);
  if (leaf === undefined) return grpc.credentials.createSsl(text(ca));
  return grpc.credentials.createSsl(text(ca), text(leaf.key), text(leaf.cert));
}

describe.skipIf(!cairnExists())("clients from npm", () => {
  const files = new CertificateDirectory();
  let plainMember: Member;
  let secured: Secured;
  beforeAll(async () => {
    [plainMember, secured] = await Promise.all([
      startMember({ kind: "cairn" }),
      startSecured(files),
    ]);
  }, testMilliseconds);
  afterAll(async () => {
    await plainMember?.remove();
    await secured?.member.remove();
    files.remove();
  });

  const kinds = ["plain", "mutual TLS"] as const;
  const etcd3Of = (kind: (typeof kinds)[number]): Etcd3 => {
    if (kind === "plain") return new Etcd3({ hosts: plainMember.url });
    const { endpoint, ca, client } = secured;
    return new Etcd3({
      hosts: `https://${endpoint}`,
      credentials: {
        rootCertificate: Buffer.from(ca),
        privateKey: Buffer.from(client.key),
        certChain: Buffer.from(client.cert),
      },
    });
  };
  const grpcOf = (kind: (typeof kinds)[number]): GrpcClient =>
    kind === "plain"
      ? new GrpcClient(plainMember.endpoint)
      : new GrpcClient(secured.endpoint, credentials(secured.ca, secured.client));

  for (const kind of kinds) {
    test(
      `etcd3 over ${kind}: keys, prefixes, txns, leases, watches, locks of its own`,
      async () => {
        const client = etcd3Of(kind);
        try {
          await etcd3Keys(client);
          await etcd3Leases(client);
          await etcd3Watches(client);
        } finally {
          client.close();
        }
      },
      testMilliseconds,
    );

    test(`@grpc/grpc-js over ${kind}: many calls at once and large answers`, async () => {
      const client = grpcOf(kind);
      try {
        await manyCalls(client);
      } finally {
        client.close();
      }
    });
  }

  test("a client without a certificate, or with one of a stranger, does not get in", async () => {
    const { endpoint, ca, stranger } = secured;
    for (const refused of [credentials(ca), credentials(ca, stranger)]) {
      const client = new GrpcClient(endpoint, refused);
      const outcome = await client.unary(
        method("KV", "Range"),
        { key: "a" },
        {
          timeoutMilliseconds: 3000,
        },
      );
      client.close();
      expect(JSON.stringify(outcome)).toMatch(unreachable);
    }
    const plain = new GrpcClient(endpoint);
    const outcome = await plain.unary(
      method("KV", "Range"),
      { key: "a" },
      {
        timeoutMilliseconds: 3000,
      },
    );
    plain.close();
    expect(JSON.stringify(outcome)).toMatch(unreachable);
  });

  test("a server with a certificate of another authority is not trusted", async () => {
    const other = await makeAuthority("yet another");
    const client = new GrpcClient(secured.endpoint, credentials(other.cert, secured.client));
    const outcome = await client.unary(
      method("KV", "Range"),
      { key: "a" },
      {
        timeoutMilliseconds: 3000,
      },
    );
    client.close();
    expect(JSON.stringify(outcome)).toMatch(unreachable);
  });

  test("JSON over TLS on the same port", async () => {
    const { member, ca, client } = secured;
    const answer = await fetch(`${member.url}/v3/kv/range`, {
      method: "POST",
      body: JSON.stringify({ key: "AA==", range_end: "AA==" }),
      tls: { ca, cert: client.cert, key: client.key },
    });
    expect(answer.status).toBe(200);
    expect(await answer.json()).toHaveProperty("header");
  });
});

/** The message a call fails with; empty when it works. Not `expect().rejects`, which keeps the event loop
 * from serving the call's own sockets. */
async function failureOf(call: Promise<unknown>): Promise<string> {
  return await call.then(
    () => "",
    (failure: Error) => failure.message,
  );
}

async function etcd3Keys(client: Etcd3): Promise<void> {
  await client.put("e3/a").value("1");
  await client.put("e3/b").value("2");
  expect(await client.get("e3/a").string()).toBe("1");
  expect(await client.get("e3/missing").string()).toBeNull();
  expect(await client.getAll().prefix("e3/").strings()).toEqual({ "e3/a": "1", "e3/b": "2" });
  const result = await client
    .if("e3/a", "Value", "==", "1")
    .then(client.put("e3/a").value("changed"), client.delete().key("e3/b"))
    .else(client.get("e3/a"))
    .commit();
  expect(result.succeeded).toBe(true);
  expect(await client.getAll().prefix("e3/").strings()).toEqual({ "e3/a": "changed" });
  expect(await failureOf(client.put("").value("x").exec())).toContain("key is not provided");
  await client.delete().prefix("e3/");
}

async function etcd3Leases(client: Etcd3): Promise<void> {
  const lease = client.lease(60);
  await lease.put("e3l/a").value("leased");
  await lease.keepaliveOnce();
  expect(await client.get("e3l/a").string()).toBe("leased");
  await lease.revoke();
  expect(await client.get("e3l/a").string()).toBeNull();
  const lock = client.lock("e3l/lock");
  await lock.acquire();
  expect(await failureOf(client.lock("e3l/lock").acquire())).not.toBe("");
  await lock.release();
}

async function etcd3Watches(client: Etcd3): Promise<void> {
  const watcher = await client.watch().prefix("e3w/").create();
  const seen: string[] = [];
  const done = new Promise<void>((resolve) => {
    watcher.on("put", (pair) => seen.push(`put ${pair.key.toString()}`));
    watcher.on("delete", (pair) => {
      seen.push(`delete ${pair.key.toString()}`);
      resolve();
    });
  });
  await client.put("e3w/a").value("1");
  await client.put("e3w/b").value("2");
  await client.delete().key("e3w/a");
  await done;
  expect(seen).toEqual(["put e3w/a", "put e3w/b", "delete e3w/a"]);
  await watcher.cancel();
}

async function manyCalls(client: GrpcClient): Promise<void> {
  const put = (index: number) =>
    client.unary(method("KV", "Put"), { key: `many/${index}`, value: "v".repeat(index * 10) });
  const outcomes = await Promise.all(Array.from({ length: 500 }, (_, index) => put(index)));
  const revisions = outcomes.map((each) => Number((okOf(each).header as JsonObject).revision));
  expect(new Set(revisions).size).toBe(500);
  const range = { key: "many/", range_end: "many0" };
  const answers = await Promise.all(
    Array.from({ length: 20 }, () => client.unary(method("KV", "Range"), range)),
  );
  for (const answer of answers) expect(okOf(answer).count).toBe("500");
}
