import { afterAll, afterEach, beforeAll, describe, expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import * as http2 from "node:http2";
import * as https from "node:https";
import * as net from "node:net";
import * as tls from "node:tls";
import {
  type Authority,
  CertificateDirectory,
  type Leaf,
  makeAuthority,
} from "../../test/certificates.ts";
import {
  envelope,
  type Fixture,
  firstValue,
  rangeMessage,
  rawCall,
  startFixture,
  until,
} from "../../test/grpc-fixture.ts";
import type { CallContext } from "../api/index.ts";
import type { LogFields } from "../io/index.ts";
import { silentLogger } from "../io/index.ts";
import { readTlsMaterial, TlsConfigError, type TlsFiles } from "./index.ts";

const RANGE = "/etcdserverpb.KV/Range";
let directory: CertificateDirectory;
let authority: Authority;
let client: Leaf;
let files: TlsFiles;
let ca: string;
const contexts: CallContext[] = [];
const warnings: [string, LogFields | undefined][] = [];
const cleanups: (() => unknown)[] = [];

beforeAll(async () => {
  directory = new CertificateDirectory();
  authority = await makeAuthority();
  const server = await authority.issue("server");
  client = await authority.issue("alice");
  ca = directory.write("ca.pem", authority.cert);
  files = {
    certFile: directory.write("server.pem", server.cert),
    keyFile: directory.write("server.key", server.key),
  };
});
afterAll(() => directory.remove());
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
});

async function start(tlsFiles: TlsFiles, options: object = {}): Promise<Fixture> {
  warnings.length = 0;
  const fixture = await startFixture(
    {
      range: (_request, call) => {
        contexts.push(call.context);
        call.succeed({ count: 1 });
      },
    },
    {
      url: "https://127.0.0.1:0",
      tls: tlsFiles,
      logger: { ...silentLogger, warn: (text, fields) => warnings.push([text, fields]) },
      ...options,
    },
  );
  cleanups.push(() => fixture.listener.stop(0));
  return fixture;
}

async function callOver(port: number, options: tls.ConnectionOptions = {}): Promise<string> {
  const session = http2.connect(`https://localhost:${port}`, {
    ca: authority.cert,
    createConnection: () =>
      tls.connect({
        host: "127.0.0.1",
        port,
        servername: "localhost",
        ca: authority.cert,
        ALPNProtocols: ["h2"],
        ...options,
      }),
  });
  cleanups.push(() => session.destroy());
  const failed = new Promise<string>((resolve) => {
    session.on("error", () => resolve("refused"));
    session.on("close", () => resolve("refused"));
  });
  const reply = rawCall(session, RANGE, [envelope(rangeMessage("k"))]).then(
    (answer) => (answer.code === "0" ? "served" : "refused"),
    () => "refused",
  );
  return Promise.race([failed, reply]);
}

test("gRPC over ALPN h2 and HTTP/1.1 on one TLS port", async () => {
  const { port } = await start(files, {
    fetch: (_request: Request, info: { isTls: boolean }) => new Response(`tls ${info.isTls}`),
  });
  expect(await callOver(port)).toBe("served");
  const body = await new Promise<string>((resolve, reject) => {
    https
      .get(
        { host: "127.0.0.1", port, servername: "localhost", ca: authority.cert, path: "/health" },
        (response) => {
          let text = "";
          response.on("data", (chunk) => {
            text += chunk;
          });
          response.on("end", () => resolve(text));
        },
      )
      .on("error", reject);
  });
  expect(body).toBe("tls true");
});

test("big answers over TLS arrive unchanged, many at once, read slowly", async () => {
  const value = Buffer.alloc(3_000_000);
  for (let i = 0; i < value.length; i += 4) value.writeUInt32LE((i * 2654435761) % 0xffffffff, i);
  const fixture = await startFixture(
    { range: (_request, call) => call.succeed({ kvs: [{ key: value.subarray(0, 3), value }] }) },
    { url: "https://127.0.0.1:0", tls: files },
  );
  cleanups.push(() => fixture.listener.stop(0));
  const session = http2.connect(`https://localhost:${fixture.port}`, {
    ca: authority.cert,
    lookup: (_name, _options, done) => done(null, [{ address: "127.0.0.1", family: 4 }]),
  });
  cleanups.push(() => session.destroy());
  const replies = await Promise.all(
    Array.from({ length: 3 }, () => rawCall(session, RANGE, [envelope(rangeMessage("k"))])),
  );
  for (const reply of replies) expect(firstValue(reply.body).equals(value)).toBe(true);
});

test.each(["TLSv1.2", "TLSv1.3"] as const)("%s is spoken", async (version) => {
  const { port } = await start(files);
  expect(await callOver(port, { minVersion: version, maxVersion: version })).toBe("served");
});

test("a minimum version and cipher suites are kept to", async () => {
  const strict = await start({ ...files, minVersion: "TLS1.3" });
  expect(await callOver(strict.port, { maxVersion: "TLSv1.2" })).toBe("refused");
  const suite = "TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256";
  const narrow = await start({ ...files, cipherSuites: [suite], maxVersion: "TLS1.2" });
  expect(await callOver(narrow.port, { ciphers: "ECDHE-ECDSA-AES256-GCM-SHA384" })).toBe("refused");
  expect(await callOver(narrow.port, { ciphers: "ECDHE-ECDSA-AES128-GCM-SHA256" })).toBe("served");
});

describe("client certificates", () => {
  test("a CA file alone makes them mandatory; the name reaches the service", async () => {
    const { port } = await start({ ...files, trustedCaFile: ca });
    expect(await callOver(port)).toBe("refused");
    await until(() => warnings.length > 0);
    const [text, fields] = warnings[0]!;
    expect(text).toBe("rejected connection on client endpoint");
    expect(fields!["remote-addr"]).toMatch(/^127\.0\.0\.1:\d+$/);
    expect(String(fields!.error).length).toBeGreaterThan(5);
    const before = contexts.length;
    const served = await callOver(port, { cert: client.cert, key: client.key });
    expect(served).toBe("served");
    expect(contexts.slice(before).map((context) => context.peerName)).toEqual(["alice"]);
  });

  test("a certificate of another authority is refused", async () => {
    const other = await (await makeAuthority("other")).issue("mallory");
    const { port } = await start({ ...files, trustedCaFile: ca });
    const before = contexts.length;
    expect(await callOver(port, { cert: other.cert, key: other.key })).toBe("refused");
    expect(contexts.length).toBe(before);
  });

  test("without a CA file the name of a certificate means nothing", async () => {
    const { port } = await start(files);
    expect(await callOver(port, { cert: client.cert, key: client.key })).toBe("served");
    expect(contexts.at(-1)!.peerName).toBe("");
  });

  test("a revoked certificate is refused", async () => {
    const bob = await authority.issue("bob");
    const crlFile = directory.write("crl.pem", await authority.revoke([client.serialNumber]));
    const { port } = await start({ ...files, trustedCaFile: ca, crlFile });
    expect(await callOver(port, { cert: client.cert, key: client.key })).toBe("refused");
    expect(await callOver(port, { cert: bob.cert, key: bob.key })).toBe("served");
  });
});

test("replaced certificates are used without a restart; broken ones are not", async () => {
  const own = {
    certFile: directory.write("rotate.pem", readFileSync(files.certFile, "utf8")),
    keyFile: directory.write("rotate.key", readFileSync(files.keyFile, "utf8")),
  };
  const { port } = await start(own);
  const nameOf = (): Promise<string> =>
    new Promise((resolve, reject) => {
      const socket = tls.connect(
        { host: "127.0.0.1", port, servername: "localhost", ca: authority.cert },
        () => {
          resolve(String(socket.getPeerCertificate().subject.CN));
          socket.destroy();
        },
      );
      socket.on("error", reject);
    });
  expect(await nameOf()).toBe("server");
  directory.write("rotate.pem", "-----BEGIN CERTIFICATE-----\nbroken\n");
  await until(() => warnings.length > 0);
  expect(warnings[0]![0]).toContain("failed to reload TLS certificates");
  expect(await nameOf()).toBe("server");
  const next = await authority.issue("rotated");
  directory.write("rotate.pem", next.cert);
  directory.write("rotate.key", next.key);
  let name = "";
  const endMs = performance.now() + 5000;
  while (name !== "rotated" && performance.now() < endMs) name = await nameOf();
  expect(name).toBe("rotated");
});

test("what is no handshake, and what is none in time, is logged and closed", async () => {
  const { port, listener } = await start(files, { handshakeTimeoutMs: 50 });
  const plain = net.connect(port, "127.0.0.1", () => plain.write("GET / HTTP/1.1\r\n\r\n"));
  plain.on("error", () => {});
  plain.on("data", () => {});
  await until(() => warnings.length === 1);
  const silent = net.connect(port, "127.0.0.1");
  silent.on("error", () => {});
  await until(() => warnings.length === 2);
  await until(() => listener.connectionCount === 0);
});

describe("readTlsMaterial", () => {
  const message = (over: Partial<TlsFiles>): string => {
    try {
      readTlsMaterial({ ...files, ...over });
      return "";
    } catch (error) {
      expect(error).toBeInstanceOf(TlsConfigError);
      return (error as Error).message;
    }
  };

  test("names what is wrong", () => {
    expect(message({})).toBe("");
    expect(message({ certFile: "/nowhere/cert.pem" })).toBe(
      "open /nowhere/cert.pem: no such file or directory",
    );
    expect(message({ keyFile: directory.write("empty.pem", "") })).toContain("no PEM data in");
    expect(message({ cipherSuites: ["FOO"] })).toBe('unexpected TLS cipher suite "FOO"');
    expect(message({ minVersion: "TLS1.3", maxVersion: "TLS1.2" })).toContain(
      "is greater than max version",
    );
    expect(
      message({ minVersion: "TLS1.3", cipherSuites: ["TLS_RSA_WITH_AES_128_CBC_SHA"] }),
    ).toContain("TLS1.3");
  });

  test("--client-cert-auth without a CA trusts the system's roots", () => {
    const material = readTlsMaterial({ ...files, clientCertAuth: true });
    expect(material.requestCert).toBe(true);
    expect(material.ca!.length).toBeGreaterThan(10);
  });

  test("a revocation list in DER becomes PEM", async () => {
    const pem = await authority.revoke(["1001"]);
    const der = Buffer.from(pem.replace(/-----[^-]+-----|\s/g, ""), "base64");
    const crlFile = directory.write("crl.der", "");
    await Bun.write(crlFile, der);
    const material = readTlsMaterial({ ...files, crlFile });
    expect(material.crl!.replace(/\s/g, "")).toBe(pem.replace(/\s/g, ""));
  });
});
