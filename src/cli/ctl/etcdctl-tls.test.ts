// Both programs over mutual TLS against a real etcd: every way of naming the endpoint, and every way of being refused.

import { afterAll, beforeAll, expect, test } from "bun:test";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { makeAuthority } from "../../../test/certificates.ts";
import { describeWithReference } from "../../../test/reference.ts";
import { type Member, startMember } from "../../../test/reference-etcd.ts";
import { type Outcome, runOurs, runReference } from "./testing/reference-program.ts";

const STARTUP_MS = 30_000;

describeWithReference("etcdctl over TLS", () => {
  const directory = mkdtempSync(join(tmpdir(), "cairn-ctl-tls-"));
  const file = (name: string) => join(directory, name);
  let member: Member;

  beforeAll(async () => {
    const authority = await makeAuthority();
    const stranger = await makeAuthority("a stranger");
    const [server, client] = [await authority.issue("server"), await authority.issue("client")];
    const texts = {
      "ca.pem": authority.cert,
      "other-ca.pem": stranger.cert,
      "server.pem": server.cert,
      "server.key": server.key,
      "client.pem": client.cert,
      "client.key": client.key,
    };
    for (const [name, text] of Object.entries(texts)) writeFileSync(file(name), text);
    member = await startMember({
      kind: "etcd",
      tls: { ca: authority.cert, cert: client.cert, key: client.key },
      flags: [
        ...["--cert-file", file("server.pem"), "--key-file", file("server.key")],
        ...["--trusted-ca-file", file("ca.pem"), "--client-cert-auth"],
      ],
    });
  }, STARTUP_MS);

  afterAll(async () => {
    rmSync(directory, { recursive: true });
    await member?.remove();
  });

  async function both(endpoint: string, ...words: readonly string[]): Promise<Outcome[]> {
    const args = [`--endpoints=${endpoint}`, "--command-timeout=500ms", ...words];
    return Promise.all([runOurs({ args }, ""), runReference({ args }, "")]);
  }

  const identity = () => [`--cert=${file("client.pem")}`, `--key=${file("client.key")}`];
  const trust = (name = "ca.pem") => `--cacert=${file(name)}`;

  test("with certificates, however the endpoint is named", async () => {
    const { port } = new URL(member.url);
    await both(member.url, trust(), ...identity(), "put", "a", "b");
    for (const endpoint of [
      member.url,
      member.endpoint,
      `localhost:${port}`,
      `[::1]:1,${member.url}`,
    ]) {
      const [ours, theirs] = await both(endpoint, trust(), ...identity(), "get", "a");
      expect({ endpoint, ...ours }).toEqual({ endpoint, stdout: "a\nb\n", stderr: "", code: 0 });
      expect(theirs).toEqual(ours!);
    }
    const [ours, theirs] = await both(
      member.url,
      "--insecure-skip-tls-verify",
      ...identity(),
      "get",
      "a",
    );
    expect(ours).toEqual(theirs!);
    expect(ours!.code).toBe(0);
  });

  test("refused alike, without a word of the value", async () => {
    const attempts = [
      [member.url, "get", "a"],
      [member.url, trust(), "get", "a"],
      [member.url, trust("other-ca.pem"), ...identity(), "get", "a"],
      [`http://${member.endpoint}`, trust(), ...identity(), "get", "a"],
      [member.endpoint, "get", "a"],
    ];
    for (const [endpoint = "", ...words] of attempts) {
      const [ours, theirs] = await both(endpoint, ...words);
      expect({ words, code: ours!.code, stdout: ours!.stdout }).toEqual({
        words,
        code: theirs!.code,
        stdout: "",
      });
      const last = (text: string) => text.trimEnd().split("\n").at(-1);
      expect(last(ours!.stderr)).toBe(last(theirs!.stderr));
    }
  });
});
