/**
 * The probes: /health as etcd always had it, /livez and /readyz with their single checks. Reads go through the
 * member's own services, so a probe says what a client would see.
 */
import type { HealthService } from "../api/index.ts";
import type { Clock } from "../io/index.ts";
import { sizedResponse } from "./sized-response.ts";
import { textResponse } from "./text-response.ts";

/** What the probes count; the metrics page shows it. */
export interface HealthCounters {
  /** One answer of /health. */
  health(healthy: boolean): void;
  /** One check of /livez or /readyz. */
  check(probe: string, name: string, healthy: boolean): void;
}

export interface HealthOptions {
  readonly health: HealthService;
  readonly clock: Clock;
  /** After so long without an answer a read counts as failed. */
  readonly requestTimeoutMs: number;
  readonly counters: HealthCounters | null;
}

export type Page = (request: Request) => Response | Promise<Response>;

/** null when all is well, else why not. */
type Check = () => Promise<string | null>;

/** Not etcd's: on a page with others they are named only when they fail, so that a healthy page is etcd's. */
const OWN_CHECKS: ReadonlySet<string> = new Set(["disk"]);

/** The read itself fails after the request timeout, and says better why. */
const READ_GRACE_MS = 1000;

const PLAIN_TEXT = { "Content-Type": "text/plain; charset=utf-8" };

/** The pages by path. */
export function healthPages(options: HealthOptions): Map<string, Page> {
  const { health } = options;
  const serializableRead: Check = () => probeRead(options, true);
  const live = new Map<string, Check>([["serializable_read", serializableRead]]);
  const ready = new Map<string, Check>([
    ["data_corruption", async () => corruption(health)],
    ["serializable_read", serializableRead],
    ["linearizable_read", () => probeRead(options, false)],
    ["disk", async () => diskProblem(health)],
    ["non_learner", async () => (health.isLearner() ? "not supported for learner" : null)],
  ]);
  return new Map<string, Page>([
    ["/health", (request) => healthPage(options, new URL(request.url).searchParams)],
    ...checkPages("livez", live, options.counters),
    ...checkPages("readyz", ready, options.counters),
  ]);
}

function corruption(health: HealthService): string | null {
  return health.activeAlarms().includes("CORRUPT") ? "alarm activated: CORRUPT" : null;
}

/** Not etcd's: a member whose log cannot be written neither leads nor votes. */
function diskProblem(health: HealthService): string | null {
  const stalledMs = health.stalledDiskMs();
  return stalledMs === 0 ? null : `no sync of the log has finished for ${Math.round(stalledMs)} ms`;
}

async function healthPage(options: HealthOptions, query: URLSearchParams): Promise<Response> {
  const reason = await healthReason(options, query);
  options.counters?.health(reason === "");
  const body = JSON.stringify({ health: String(reason === ""), reason });
  // Without "nosniff" when healthy: there etcd writes no error.
  return reason === "" ? sizedResponse(body, 200, PLAIN_TEXT) : textResponse(503, `${body}\n`);
}

async function healthReason(options: HealthOptions, query: URLSearchParams): Promise<string> {
  const { health } = options;
  const excluded = query.getAll("exclude");
  for (const alarm of health.activeAlarms()) {
    if (!excluded.includes(alarm)) return `ALARM ${alarm}`;
  }
  const serializable = query.get("serializable") === "true";
  if (!serializable && !health.hasLeader()) return "RAFT NO LEADER";
  const error = await probeRead(options, serializable);
  return error === null ? "" : `RANGE ERROR:${error}`;
}

function probeRead(options: HealthOptions, serializable: boolean): Promise<string | null> {
  return new Promise((resolve) => {
    const waitMs = options.requestTimeoutMs + READ_GRACE_MS;
    const timer = options.clock.setTimer(waitMs, () => resolve("context deadline exceeded"));
    options.health.probeRead(serializable, (error) => {
      timer.cancel();
      resolve(error);
    });
  });
}

function checkPages(
  probe: string,
  checks: ReadonlyMap<string, Check>,
  counters: HealthCounters | null,
): [string, Page][] {
  const pages: [string, Page][] = [
    [`/${probe}`, (request) => checkPage(probe, checks, request, counters)],
  ];
  for (const [name, check] of checks) {
    const single = new Map([[name, check]]);
    pages.push([`/${probe}/${name}`, (request) => checkPage(probe, single, request, counters)]);
  }
  return pages;
}

async function checkPage(
  probe: string,
  checks: ReadonlyMap<string, Check>,
  request: Request,
  counters: HealthCounters | null,
): Promise<Response> {
  const query = new URL(request.url).searchParams;
  const excluded = query.getAll("exclude");
  let lines = "";
  let failed = false;
  for (const [name, check] of checks) {
    if (excluded.includes(name)) continue;
    const error = await check();
    counters?.check(probe, name, error === null);
    if (error !== null) lines += `[-]${name} failed: ${error}\n`;
    else if (checks.size === 1 || !OWN_CHECKS.has(name)) lines += `[+]${name} ok\n`;
    failed ||= error !== null;
  }
  if (failed) return textResponse(503, `${lines}\n`);
  return textResponse(200, query.has("verbose") ? `${lines}ok\n` : "ok\n");
}
