/** The HTTP application over services in memory, for tests. */
import { silentLogger } from "../io/index.ts";
import type { RequestInfo } from "./fetch-handler.ts";
import { type ApplicationOptions, createApplication, createFetch } from "./hono-app.ts";
import { FakeServices, ManualClock } from "./json/test-services.ts";

export interface TestApplication {
  readonly fake: FakeServices;
  readonly clock: ManualClock;
  fetch(path: string, init?: RequestInit, info?: Partial<RequestInfo>): Promise<Response>;
  /** The status and body of a POST. */
  post(
    path: string,
    body: string | ReadableStream<Uint8Array>,
    headers?: Record<string, string>,
  ): Promise<[number, string]>;
}

export function testApplication(changes: Partial<ApplicationOptions> = {}): TestApplication {
  const fake = new FakeServices();
  const clock = new ManualClock();
  const app = createApplication({
    services: fake.services,
    clock,
    logger: silentLogger,
    scope: "client",
    gateway: true,
    messageBytesMax: 2 * 1024 * 1024,
    requestTimeoutMs: 7000,
    corsOrigins: ["*"],
    hostWhitelist: ["*"],
    certificateNamesCount: () => false,
    callCounters: null,
    healthCounters: null,
    renderMetrics: () => "up 1\n",
    debugVars: () => ({ cmdline: ["cairn"], b: 1 }),
    ...changes,
  });
  const handler = createFetch(app);
  const info = {
    peerName: "",
    peerAddress: "127.0.0.1:1",
    isTls: false,
    httpVersion: "1.1",
  } as const;
  const fetch: TestApplication["fetch"] = async (path, init = {}, changed = {}) => {
    const request = new Request(`http://localhost:2379${path}`, init);
    if (!request.headers.has("host")) request.headers.set("host", "localhost:2379");
    return handler(request, { ...info, ...changed });
  };
  return {
    fake,
    clock,
    fetch,
    post: async (path, body, headers = {}) => {
      const response = await fetch(path, { method: "POST", body, headers });
      return [response.status, await response.text()];
    },
  };
}

/** Waits for a condition that some later microtask or event makes true. */
export async function until(condition: () => boolean): Promise<void> {
  for (let turn = 0; !condition(); turn++) {
    if (turn > 5000) throw new Error("condition never came true");
    await new Promise<void>((resolve) => setImmediate(resolve));
  }
}
