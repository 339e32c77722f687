import { expect, test } from "bun:test";
import { ProbeCounters } from "./metrics-health.ts";
import { testApplication } from "./test-application.ts";

async function get(app: ReturnType<typeof testApplication>, path: string) {
  const response = await app.fetch(path);
  return [response.status, await response.text()] as const;
}

test("/health gives the first reason against health, as etcd words it", async () => {
  const app = testApplication();
  const healthy = await app.fetch("/health");
  expect([healthy.status, await healthy.text()]).toEqual([200, '{"health":"true","reason":""}']);
  expect(healthy.headers.get("content-type")).toBe("text/plain; charset=utf-8");
  expect(healthy.headers.has("x-content-type-options")).toBe(false);
  const reason = (text: string) => [503, `{"health":"false","reason":"${text}"}\n`] as const;
  app.fake.readError = "etcdserver: request timed out";
  expect(await get(app, "/health")).toEqual(reason("RANGE ERROR:etcdserver: request timed out"));
  expect((await get(app, "/health?serializable=true"))[0]).toBe(200);
  app.fake.leader = false;
  expect(await get(app, "/health")).toEqual(reason("RAFT NO LEADER"));
  app.fake.alarms = ["NOSPACE", "CORRUPT"];
  expect(await get(app, "/health")).toEqual(reason("ALARM NOSPACE"));
  expect(await get(app, "/health?exclude=&exclude=NOSPACE")).toEqual(reason("ALARM CORRUPT"));
  const unhealthy = await app.fetch("/health");
  expect(unhealthy.headers.get("x-content-type-options")).toBe("nosniff");
});

test("a probe's read that is never answered fails a second after the request timeout", async () => {
  const app = testApplication();
  const silent = {
    ...app.fake.services,
    health: { ...app.fake.services.health, probeRead: () => {} },
  };
  const stuck = testApplication({ services: silent, clock: app.clock });
  const answer = get(stuck, "/health");
  while (app.clock.pending === 0) await new Promise<void>((resolve) => setImmediate(resolve));
  app.clock.advance(8000);
  expect((await answer)[1]).toContain("RANGE ERROR:context deadline exceeded");
});

test("/livez and /readyz run their checks, all or one", async () => {
  const probes = new ProbeCounters();
  const app = testApplication({ healthCounters: probes });
  expect(await get(app, "/livez")).toEqual([200, "ok\n"]);
  expect(await get(app, "/livez?verbose")).toEqual([200, "[+]serializable_read ok\nok\n"]);
  expect(await get(app, "/readyz?verbose")).toEqual([
    200,
    "[+]data_corruption ok\n[+]serializable_read ok\n[+]linearizable_read ok\n[+]non_learner ok\nok\n",
  ]);
  app.fake.alarms = ["CORRUPT"];
  expect(await get(app, "/readyz?exclude=other")).toEqual([
    503,
    "[-]data_corruption failed: alarm activated: CORRUPT\n[+]serializable_read ok\n[+]linearizable_read ok\n[+]non_learner ok\n\n",
  ]);
  expect(await get(app, "/readyz/data_corruption")).toEqual([
    503,
    "[-]data_corruption failed: alarm activated: CORRUPT\n\n",
  ]);
  expect(await get(app, "/readyz?exclude=data_corruption")).toEqual([200, "ok\n"]);
  expect(await get(app, "/readyz/linearizable_read?verbose")).toEqual([
    200,
    "[+]linearizable_read ok\nok\n",
  ]);
  expect((await get(app, "/livez/linearizable_read"))[0]).toBe(404);
  app.fake.learner = true;
  app.fake.stalledDiskMs = 1234.5;
  expect(await get(app, "/readyz?exclude=data_corruption")).toEqual([
    503,
    "[+]serializable_read ok\n[+]linearizable_read ok\n[-]disk failed: no sync of the log has finished for 1235 ms\n[-]non_learner failed: not supported for learner\n\n",
  ]);
  const counts = [...probes.checks].map(([labels, counter]) => [...labels, counter.value]);
  expect(counts).toContainEqual(["data_corruption", "error", "readyz", 2]);
  expect(counts).toContainEqual(["serializable_read", "success", "livez", 2]);
});

test("pages answer GET only, unknown paths and unclean ones as Go does", async () => {
  const app = testApplication();
  for (const path of ["/health", "/livez", "/version", "/metrics", "/debug/vars"]) {
    for (const method of ["PUT", "POST", "HEAD"]) {
      const response = await app.fetch(path, { method });
      expect([response.status, response.headers.get("allow")]).toEqual([405, "GET"]);
      expect(response.headers.get("content-length")).toBe("19");
    }
  }
  expect(await get(app, "/members")).toEqual([404, "404 page not found\n"]);
  const moved = await app.fetch("//v3//kv/range?a=b", { method: "POST" });
  expect([moved.status, moved.headers.get("location")]).toEqual([301, "/v3/kv/range?a=b"]);
  const page = await app.fetch("//%3Cb%3E%F0%9F%98%80");
  expect(await page.text()).toBe('<a href="/%3Cb%3E%F0%9F%98%80">Moved Permanently</a>.\n\n');
  expect((await app.fetch("/v3", { method: "POST" })).headers.get("location")).toBe("/v3/");
  expect(await get(app, "/version")).toEqual([
    200,
    '{"etcdserver":"3.7.1","etcdcluster":"3.7.0","storage":"3.7.0","cairn":"0.1.0"}',
  ]);
  expect(await get(app, "/debug/vars")).toEqual([200, '{\n"b": 1,\n"cmdline": ["cairn"]\n}\n']);
});

test("the metrics listener has probes and metrics and nothing else", async () => {
  const app = testApplication({ scope: "metrics" });
  expect(await get(app, "/metrics")).toEqual([200, "up 1\n"]);
  expect((await get(app, "/health"))[0]).toBe(200);
  for (const path of ["/version", "/debug/vars", "/v3/kv/range"]) {
    expect((await get(app, path))[0]).toBe(404);
  }
  const closed = testApplication({ gateway: false });
  expect(await closed.post("/v3/kv/put", "{}")).toEqual([404, "404 page not found\n"]);
});

test("hosts, origins and certificate names are checked as configured", async () => {
  const app = testApplication({
    hostWhitelist: ["good.example", "::1"],
    corsOrigins: ["http://a"],
  });
  const statusOf = async (host: string) =>
    (await app.fetch("/health", { headers: { host } })).status;
  expect(await statusOf("good.example:2379")).toBe(200);
  expect(await statusOf("[::1]:2379")).toBe(200);
  expect(await statusOf("evil.example")).toBe(421);
  const origin = async (value: string) => {
    const headers = { host: "good.example", origin: value };
    const response = await app.fetch("/v3/kv/put", { method: "OPTIONS", headers });
    expect([response.status, await response.text()]).toEqual([200, ""]);
    return response.headers.get("access-control-allow-origin");
  };
  expect([await origin("http://a"), await origin("http://b")]).toEqual(["http://a", null]);
});

test("a certificate's name is no user of the gateway, and said to be none", async () => {
  let count = true;
  const app = testApplication({ certificateNamesCount: () => count, hostWhitelist: ["other"] });
  const put = { method: "POST", body: '{"key":"YQ=="}' };
  const named = { isTls: true, peerName: "alice" };
  const refused = await app.fetch("/v3beta/kv/put", put, named);
  expect([refused.status, await refused.text()]).toEqual([
    400,
    "CommonName of client sending a request against gateway will be ignored and not used as expected\n",
  ]);
  expect((await app.fetch("/version", {}, named)).status).toBe(200);
  expect((await app.fetch("/v3/kv/put", put, { isTls: true })).status).toBe(200);
  count = false;
  expect((await app.fetch("/v3/kv/put", put, named)).status).toBe(200);
});

test("an error in a page is answered and logged, not thrown", async () => {
  const logged: string[] = [];
  const app = testApplication({
    renderMetrics: () => {
      throw new Error("broken");
    },
    logger: {
      debug() {},
      info() {},
      warn() {},
      error: (message) => void logged.push(message),
    },
  });
  expect((await get(app, "/metrics"))[0]).toBe(500);
  expect(logged).toEqual(["HTTP request failed"]);
});
