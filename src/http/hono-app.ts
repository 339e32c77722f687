/**
 * Everything a member answers over HTTP that is not gRPC: the JSON gateway, probes, version, metrics. One Hono
 * app; the listener calls `fetch` for each such request of HTTP/1.1 and HTTP/2, with what it knows of the
 * connection. An error thrown in here is a bug: it is logged and answered with 500, and touches no other request.
 */
import { type Context, Hono } from "hono";
import { getPath } from "hono/utils/url";
import type { Services } from "../api/index.ts";
import { METHODS } from "../api/index.ts";
import type { Clock, Logger } from "../io/index.ts";
import { debugVarsPage } from "./debug-vars.ts";
import type { FetchHandler } from "./fetch-handler.ts";
import { type HealthCounters, healthPages, type Page } from "./health.ts";
import {
  type CallCounters,
  type ConnectionInfo,
  type GatewayHandler,
  gatewayError,
  gatewayRoutes,
} from "./json/index.ts";
import { metricsPage } from "./metrics.ts";
import { AccessControl } from "./middleware/access-control.ts";
import { sizedResponse } from "./sized-response.ts";
import { onlyGet, pageNotFound } from "./text-response.ts";
import { versionPage } from "./version.ts";

export interface ApplicationOptions {
  readonly services: Services;
  readonly clock: Clock;
  readonly logger: Logger;
  /** "client" is everything, "metrics" only probes and metrics (--listen-metrics-urls). */
  readonly scope: "client" | "metrics";
  /** --enable-grpc-gateway. */
  readonly gateway: boolean;
  /** The largest request as protobuf: --max-request-bytes and gRPC's overhead of 512 KiB. */
  readonly messageBytesMax: number;
  /** How long a probe's read may take: 5 s and two election timeouts. */
  readonly requestTimeoutMs: number;
  /** --cors. */
  readonly corsOrigins: readonly string[];
  /** --host-whitelist. */
  readonly hostWhitelist: readonly string[];
  /** Whether calls are authenticated by client certificates and authentication is on. */
  readonly certificateNamesCount: () => boolean;
  /** Counters of gRPC calls, which the gateway's calls join; null counts nothing. */
  readonly callCounters: CallCounters | null;
  readonly healthCounters: HealthCounters | null;
  /** The text of /metrics. */
  readonly renderMetrics: () => string;
  /** What /debug/vars shows beside nothing: names to values that JSON can hold. */
  readonly debugVars: () => Readonly<Record<string, unknown>>;
}

type Environment = { Bindings: ConnectionInfo };
export type Application = Hono<Environment>;

const STREAM_LIMITS = { queueBytes: 256 * 1024, queueBytesMax: 32 * 1024 * 1024 };

export function createApplication(options: ApplicationOptions): Application {
  const app: Application = new Hono<Environment>({ getPath: routedPath });
  const access = new AccessControl(options);
  app.use("*", async (context, next) => {
    const { req, env } = context;
    const refused = access.refuse(req.raw, req.path, env);
    if (refused !== null) return refused;
    const early =
      req.method === "OPTIONS" ? sizedResponse("", 200, {}) : redirect(req.raw, req.path);
    if (early === null) await next();
    else context.res = early;
    access.addCorsHeaders(req.raw, context.res.headers);
    return undefined;
  });
  for (const [path, page] of pages(options)) {
    app.all(path, (context) => (context.req.method === "GET" ? page(context.req.raw) : onlyGet()));
  }
  if (options.scope === "client" && options.gateway) addGateway(app, options);
  app.notFound(() => pageNotFound());
  app.onError((error) => {
    options.logger.error("HTTP request failed", { error: error.stack ?? error.message });
    return gatewayError(500, 13, "internal error");
  });
  return app;
}

/** The application as the listener calls it. */
export function createFetch(app: Application): FetchHandler {
  return async (request, info) => app.fetch(request, info);
}

function pages(options: ApplicationOptions): Map<string, Page> {
  const { health } = options.services;
  const all = healthPages({ ...options, health, counters: options.healthCounters });
  all.set("/metrics", () => metricsPage(options.renderMetrics()));
  if (options.scope === "client") {
    all.set("/version", () => versionPage(health));
    all.set("/debug/vars", () => debugVarsPage(options.debugVars()));
  }
  return all;
}

function addGateway(app: Application, options: ApplicationOptions): void {
  const routes = gatewayRoutes({
    implementations: implementationsOf(options.services),
    clock: options.clock,
    messageBytesMax: options.messageBytesMax,
    streamLimits: STREAM_LIMITS,
    counters: options.callCounters,
  });
  for (const [path, handler] of routes) app.all(path, (context) => handlePost(context, handler));
  app.all("/v3/*", () => gatewayError(404, 5, "Not Found"));
}

function handlePost(
  context: Context<Environment>,
  handler: GatewayHandler,
): Response | Promise<Response> {
  const { raw } = context.req;
  if (raw.method !== "POST") return gatewayError(501, 12, "Method Not Allowed");
  return handler(raw, context.env);
}

/** The services by their gRPC names: etcdserverpb.KV is `kv`. */
function implementationsOf(services: Services): Record<string, object | undefined> {
  const byKey = services as unknown as Record<string, object | undefined>;
  return Object.fromEntries(
    METHODS.map((row) => [row.service, byKey[row.service.split(".").at(-1)!.toLowerCase()]]),
  );
}

/** Old prefixes of the gateway are the current one. */
function routedPath(request: Request): string {
  const path = getPath(request);
  return path.startsWith("/v3") ? path.replace(/^\/v3(?:alpha|beta)\//, "/v3/") : path;
}

/** Paths are cleaned by sending the client to the clean one. */
function redirect(request: Request, path: string): Response | null {
  if (path !== "/v3" && !path.includes("//")) return null;
  // As it was sent, not as it is routed: what was percent-encoded has to stay so.
  const { pathname, search } = new URL(request.url);
  const clean = path === "/v3" ? "/v3/" : pathname.replace(/\/{2,}/g, "/");
  const location = clean + search;
  // Browsers of old get a link; only they ask with GET.
  const link = `<a href="${location.replaceAll("&", "&amp;")}">Moved Permanently</a>.\n\n`;
  return request.method === "GET"
    ? sizedResponse(link, 301, { Location: location, "Content-Type": "text/html; charset=utf-8" })
    : sizedResponse("", 301, { Location: location });
}
