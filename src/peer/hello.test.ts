/** Introductions: what is said comes back, what is wrong has a cause. */
import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { type Hello, helloFields, helloRefusal, ownHello, PROTOCOL, parseHello } from "./hello.ts";
import { parseResponseHead, type ResponseHead, requestHead, responseHead } from "./http-head.ts";
import { leaseObstacle } from "./lease-settings.ts";
import { hostField, parsePeerUrl } from "./peer-url.ts";

const good = ownHello({
  ...{ clusterId: 0xffff_ffff_ffff_fffen, from: 7n, to: 0x8000_0000_0000_0000n },
  ...{
    channel: "messages" as const,
    serverVersion: "3.7.1",
    peerUrls: ["http://a:1", "http://b:2"],
    lease: { readMode: "lease" as const, electionTimeoutMs: 1000, heartbeatIntervalMs: 100 },
  },
});

const settingsShape = {
  readMode: fc.constantFrom("safe", "lease"),
  electionTimeoutMs: fc.nat(999_999_999),
  heartbeatIntervalMs: fc.nat(999_999_999),
};

function headersOf(hello: Hello): Map<string, string> {
  return new Map(helloFields(hello).map(([name, value]) => [name.toLowerCase(), value]));
}

describe("parseHello", () => {
  test("takes what helloFields says", () => {
    const id = fc.bigInt({ min: 1n, max: 2n ** 64n - 1n });
    fc.assert(
      fc.property(
        id,
        id,
        id,
        fc.constantFrom("messages", "snapshot"),
        fc.option(fc.record(settingsShape)),
        (clusterId, from, to, channel, lease) => {
          const hello = { ...good, clusterId, from, to, channel, lease } as Hello;
          expect(parseHello(headersOf(hello))).toEqual(hello);
        },
      ),
    );
  });

  test.each([
    ["upgrade", "websocket", "the upgrade must be to cairn-peer"],
    ["x-etcd-cluster-id", "xyz", "X-Etcd-Cluster-Id is no id"],
    ["x-etcd-cluster-id", "11111111111111111", "X-Etcd-Cluster-Id is no id"],
    ["x-server-from", "0", "X-Server-From is no id"],
    ["x-raft-to", "", "X-Raft-To is no id"],
    ["cairn-protocol", "one", "Cairn-Protocol is no number"],
    ["cairn-channel", "mail", "Cairn-Channel is not known"],
    ["x-server-version", "3", "X-Server-Version is no version"],
    ["x-min-cluster-version", "", "X-Min-Cluster-Version is no version"],
    ["cairn-read-mode", "fast", "Cairn-Read-Mode is not known"],
    ["cairn-election-timeout", "-1", "Cairn-Election-Timeout is no number"],
    ["cairn-heartbeat-interval", "", "Cairn-Heartbeat-Interval is no number"],
    ["x-peerurls", "a,".repeat(17), "X-PeerURLs has too many URLs"],
    ["x-peerurls", `http://${"a".repeat(3000)}`, "X-PeerURLs has too long a URL"],
  ])("refuses %s: %p", (name, value, cause) => {
    expect(parseHello(headersOf(good).set(name, value))).toBe(cause);
  });

  test("takes any text without throwing", () => {
    const names = helloFields(good).map(([name]) => name.toLowerCase());
    fc.assert(
      fc.property(fc.array(fc.tuple(fc.constantFrom(...names), fc.string())), (changes) => {
        parseHello(new Map([...headersOf(good), ...changes]));
      }),
    );
  });
});

describe("helloRefusal", () => {
  const local = {
    ...{ memberId: good.to, clusterId: good.clusterId, serverVersion: "3.7.1" },
    isRemoved: (member: bigint) => member === 66n,
  };
  const cause = (over: Partial<Hello>, own: Partial<typeof local> = {}): string => {
    const refusal = helloRefusal({ ...good, ...over }, { ...local, ...own });
    return refusal === null ? "" : `${refusal.status} ${refusal.cause}`;
  };

  test("names the first thing that is wrong", () => {
    expect(cause({})).toBe("");
    expect(cause({ clusterId: 1n, from: 66n })).toBe("412 cluster ID mismatch");
    expect(cause({ from: 66n, to: 5n })).toStartWith("410 ");
    expect(cause({ to: 5n })).toBe("412 member ID mismatch");
    expect(cause({ from: good.to })).toContain("412 another process");
    expect(cause({ protocol: 0, protocolMin: 0 })).toContain(
      "412 incompatible peer protocol (0 to 0",
    );
    expect(cause({ protocol: PROTOCOL + 1, protocolMin: PROTOCOL + 1 })).toContain(
      "412 incompatible",
    );
    expect(cause({ protocol: PROTOCOL + 1 })).toBe("");
    expect(cause({ serverVersion: "3.6.9" })).toContain("(3.6.9 is too old)");
    expect(cause({ serverVersion: "3.10.0" })).toBe("");
    expect(cause({ minClusterVersion: "4.0.0" })).toContain("too old for the sender");
  });
});

describe("leaseObstacle", () => {
  const own = good.lease!;

  test("names what differs", () => {
    expect(leaseObstacle(own, own)).toBeNull();
    expect(leaseObstacle(own, null)).toBe("it does not run in lease mode");
    expect(leaseObstacle(own, { ...own, readMode: "safe" })).toBe("it does not run in lease mode");
    expect(leaseObstacle(own, { ...own, electionTimeoutMs: 1 })).toContain("1 ms, not 1000 ms");
    expect(leaseObstacle(own, { ...own, heartbeatIntervalMs: 2 })).toContain("2 ms, not 100 ms");
  });
});

describe("heads", () => {
  test("a request is a request, an answer is read", () => {
    const text = Buffer.from(requestHead("/p", "h:1", [["A", "b"]])).toString();
    expect(text).toBe("GET /p HTTP/1.1\r\nHost: h:1\r\nA: b\r\n\r\n");
    const head = parseResponseHead(responseHead("412 No", [["X-A", " b "]], "body"));
    expect(head).toMatchObject({ status: 412 });
    expect((head as ResponseHead).headers.get("x-a")).toBe("b");
  });

  test("what is incomplete waits, what is no answer is told", () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 300 }), (bytes) => {
        parseResponseHead(bytes);
      }),
    );
    const bytes = responseHead("101 Switching Protocols", [["A", "b"]]);
    for (let length = 0; length < bytes.length; length++) {
      expect(parseResponseHead(bytes.subarray(0, length))).toBeNull();
    }
    expect(parseResponseHead(Buffer.from("HTTP/1.1 2OO\r\n\r\n"))).toBeString();
    expect(parseResponseHead(Buffer.from("HTTP/1.1 200 OK\r\nno field\r\n\r\n"))).toBeString();
  });
});

describe("parsePeerUrl", () => {
  test.each([
    ["http://127.0.0.1:2380", { isTls: false, host: "127.0.0.1", port: 2380, path: "" }],
    ["https://[::1]:2380", { isTls: true, host: "::1", port: 2380, path: "" }],
    ["https://name", { isTls: true, host: "name", port: 443, path: "" }],
    ["unix://some/path:1", { isTls: false, host: "", port: 0, path: "some/path:1" }],
    ["unixs:///p", { isTls: true, host: "", port: 0, path: "/p" }],
    ["http://", null],
    ["http://a:0", null],
    ["http://a:70000", null],
    ["http://a:1/path", null],
    ["http://u@a:1", null],
    ["a:1", null],
  ])("%s", (url, target) => {
    expect(parsePeerUrl(url)).toEqual(target);
  });

  test("the Host field has brackets again", () => {
    expect(hostField(parsePeerUrl("http://[::1]:5")!)).toBe("[::1]:5");
    expect(hostField(parsePeerUrl("unix:///p")!)).toBe("localhost");
  });
});
