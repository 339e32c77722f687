import { expect, test } from "bun:test";
import fc from "fast-check";
import { ROUTES } from "../../api/json/index.ts";
import { testApplication } from "../test-application.ts";

const SEEDS = [
  '{"key":"Zm9v","value":"YmFy","lease":"7","prev_kv":true}',
  '{"compare":[{"key":"YQ==","target":"MOD","mod_revision":"3"}],"success":[{"request_put":{"key":"YQ=="}}]}',
  '{"create_request":{"key":"Zm9v","range_end":"Zm9w","filters":["NOPUT"]}}{"progress_request":{}}',
  "{}",
  "",
];
const PIECES = ['"', "{", "}", "[", "]", ",", ":", "\\", "\\u", "null", "1e9", "-", "\u0000", "é"];
const HEADERS = ["grpc-timeout", "authorization", "grpc-metadata-token", "host", "origin"];

const edits = fc.array(
  fc.record({ at: fc.nat(200), cut: fc.nat(5), put: fc.constantFrom(...PIECES) }),
  { maxLength: 6 },
);
const body = fc.tuple(fc.constantFrom(...SEEDS), edits).map(([seed, changes]) => {
  let text = seed;
  for (const { at, cut, put } of changes) {
    const index = at % (text.length + 1);
    text = text.slice(0, index) + put + text.slice(index + cut);
  }
  return text;
});
const headers = fc.dictionary(fc.constantFrom(...HEADERS), fc.stringMatching(/^[ -~]{0,12}$/));
const methods = fc.constantFrom("POST", "POST", "POST", "PUT", "OPTIONS");
const paths = fc.oneof(
  fc.constantFrom(...ROUTES.map(([path]) => path)),
  fc.webPath().map((path) => `/v3${path}`),
);

test("whatever is sent, the gateway answers in JSON and stays up", async () => {
  const app = testApplication();
  await fc.assert(
    fc.asyncProperty(paths, methods, body, headers, async (path, method, text, fields) => {
      const abort = new AbortController();
      const init = { method, body: text, headers: fields, signal: abort.signal };
      const pending = app.fetch(path, init);
      // Calls that the fake services hold are given up by their client.
      const held = new Promise<void>((resolve) => setImmediate(() => setImmediate(resolve)));
      await Promise.race([pending, held]);
      abort.abort();
      const response = await pending;
      expect(response.status).toBeGreaterThanOrEqual(200);
      expect(response.status).toBeLessThan(505);
      const answer = await response.text();
      if (response.headers.get("content-type") === "application/json") JSON.parse(answer);
    }),
    { numRuns: 1000 },
  );
  expect(await app.post("/v3/kv/put", '{"key":"YQ=="}')).toContain(200);
}, 20_000);
