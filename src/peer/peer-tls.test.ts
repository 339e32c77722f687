/** Members over mutual TLS: who may speak, and certificates that change. */
import { afterEach, expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import { makeAuthority } from "../../test/certificates.ts";
import type { TlsFiles } from "../tls/index.ts";
import { useTestIdentities } from "./testing/test-identities.ts";
import { TestMember, type TestMemberOptions, until } from "./testing/test-members.ts";

const identities = useTestIdentities();
const { identity } = identities;
const cleanups: (() => unknown)[] = [];

afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
});

async function start(options: TestMemberOptions): Promise<TestMember> {
  const member = await TestMember.start(options);
  cleanups.push(() => member.stop());
  return member;
}

async function pair(a: TlsFiles, b: TlsFiles): Promise<[TestMember, TestMember]> {
  const members: [TestMember, TestMember] = [
    await start({ id: 1n, tls: a }),
    await start({ id: 2n, tls: b }),
  ];
  for (const member of members) member.transport.setPeers(members.map((each) => each.address));
  return members;
}

const errors = (member: TestMember): string =>
  member.log.map(([text, fields]) => `${text}: ${fields?.error}`).join("\n");

test("members with certificates of one authority talk, large messages too", async () => {
  const [a, b] = await pair(await identity("m1"), await identity("m2"));
  await until(() => a.isConnectedTo(b) && b.isConnectedTo(a));
  const data = new Uint8Array(3_000_000).map((_, i) => (i * 2654435761) >>> 11);
  const entries = [{ term: 1, index: 1, kind: 0, data }];
  const header = { from: a.id, to: b.id, term: 1, previousIndex: 0, previousTerm: 0, commit: 0 };
  a.transport.send([{ kind: "append", ...header, entries }, a.beat(b.id, 1)]);
  await until(() => b.messages.length === 2);
  expect(Bun.deepEquals(b.messages[1], { kind: "append", ...header, entries })).toBe(true);
  b.onRequest = (body, respond) => respond({ status: 4, body });
  const statuses: (number | undefined)[] = [];
  a.transport.request(b.id, "x", data, 3000, (answer) => statuses.push(answer?.status));
  await until(() => statuses.length === 1);
  expect(statuses).toEqual([4]);
});

test("a member of another authority is let in nowhere", async () => {
  const stranger = await identity("m2", await makeAuthority("another"));
  const [a, b] = await pair(await identity("m1"), stranger);
  await until(() => errors(a).includes("failed to reach peer"));
  await until(() => errors(b).includes("failed to reach peer"));
  expect(a.isConnectedTo(b) || b.isConnectedTo(a)).toBe(false);
});

test("a plain member does not reach one with TLS, nor the other way round", async () => {
  const a = await start({ id: 1n, tls: await identity("m1") });
  const b = await start({ id: 2n });
  a.transport.setPeers([{ id: 2n, peerUrls: [b.url.replace("http:", "https:")] }]);
  b.transport.setPeers([{ id: 1n, peerUrls: [a.url.replace("https:", "http:")] }]);
  await until(() => errors(a).includes("failed to reach peer"));
  await until(() => errors(b).includes("failed to reach peer"));
});

test("allowed common names hold for who accepts and for who dials", async () => {
  const strict = { ...(await identity("m1")), allowedCommonNames: ["m1", "m2"] };
  const [a, b] = await pair(strict, await identity("m2"));
  await until(() => a.isConnectedTo(b) && b.isConnectedTo(a));
  const other = await start({ id: 3n, tls: await identity("m3") });
  other.transport.setPeers([a.address]);
  a.transport.setPeers([b.address, other.address]);
  await until(() => errors(a).includes("rejected connection on peer endpoint"));
  await until(() => errors(a).includes("failed to reach peer: client certificate authentication"));
  expect(other.isConnectedTo(a)).toBe(false);
});

test("allowed host names hold likewise", async () => {
  const own = await identity("m1");
  const [a, b] = await pair({ ...own, allowedHostnames: ["localhost"] }, await identity("m2"));
  await until(() => a.isConnectedTo(b) && b.isConnectedTo(a));
  await a.stop();
  const strict = await start({ id: 1n, tls: { ...own, allowedHostnames: ["example.org"] } });
  b.transport.setPeers([strict.address]);
  await until(() => errors(strict).includes("client certificate authentication failed"));
  expect(b.isConnectedTo(strict)).toBe(false);
});

test("a certificate must belong to the address that its member comes from", async () => {
  const check = { checkClientAddress: true };
  const local = await identity("m1");
  const [a, b] = await pair({ ...local, ...check }, { ...(await identity("m2")), ...check });
  await until(() => a.isConnectedTo(b) && b.isConnectedTo(a));
  const elsewhere = await identities.authority.issue("m3", ["198.51.100.7"]);
  const files = {
    ...local,
    clientCertFile: identities.directory.write("elsewhere.pem", elsewhere.cert),
    clientKeyFile: identities.directory.write("elsewhere.key", elsewhere.key),
  };
  const c = await start({ id: 3n, tls: files });
  c.transport.setPeers([a.address]);
  await until(() => errors(a).includes("certificate is valid for 198.51.100.7, not 127.0.0.1"));
  expect(c.isConnectedTo(a)).toBe(false);
});

test("a certificate of its own for outgoing connections", async () => {
  const own = await identity("m2");
  const outgoing = await identity("m2-client");
  const clientFiles = { clientCertFile: outgoing.certFile, clientKeyFile: outgoing.keyFile };
  const strict = { ...(await identity("m1")), allowedCommonNames: ["m2-client"] };
  const a = await start({ id: 1n, tls: strict });
  const b = await start({ id: 2n, tls: { ...own, ...clientFiles } });
  b.transport.setPeers([a.address]);
  await until(() => b.isConnectedTo(a));
});

test("certificates are read again for new connections", async () => {
  const files = await identity("m2", await makeAuthority("another"));
  const a = await start({ id: 1n, tls: await identity("m1") });
  const b = await start({
    id: 2n,
    tls: { ...files, trustedCaFile: (await identity("x")).trustedCaFile! },
  });
  b.transport.setPeers([a.address]);
  await until(() => errors(b).includes("failed to reach peer"));
  const good = await identity("m2");
  identities.directory.write(
    files.certFile.split("/").at(-1)!,
    readFileSync(good.certFile, "utf8"),
  );
  identities.directory.write(files.keyFile.split("/").at(-1)!, readFileSync(good.keyFile, "utf8"));
  await until(() => b.isConnectedTo(a));
});
