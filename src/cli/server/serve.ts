/**
 * Runs a member: configuration, storage, log, services, listeners, in this order; and ends it in good order. The only
 * place that joins the real world's ports with the server.
 */
import { enableVerify } from "../../base/assert.ts";
import { TreeDamage } from "../../bbolt/index.ts";
import type { Listener } from "../../http/index.ts";
import { createLogger, type RootLogger } from "../../io/bun/index.ts";
import { DiskError } from "../../io/index.ts";
import { Member, StartProblem } from "../../server/index.ts";
import { TlsConfigError } from "../../tls/index.ts";
import { WalDamage } from "../../wal/index.ts";
import { type Config, makeConfig } from "./config.ts";
import { makeEdges, makeListeners } from "./listeners.ts";
import { memberOptions } from "./member-options.ts";
import { notifySupervisor } from "./notify.ts";
import { ConfigProblem, parseFlags } from "./parse-flags.ts";
import { flagHelp, USAGE } from "./usage.ts";
import { printVersion } from "./version-text.ts";

const STOP_GRACE_MS = 2000;
const EXIT_CONFIG = 1;
const EXIT_USAGE = 2;
/** Left running: the process lives until a signal ends it. */
const STAYS = -1;

export async function runServer(args: readonly string[]): Promise<number> {
  const given = parseFlags(args, process.env);
  if (given instanceof ConfigProblem) return refuse(given);
  if (given.help) {
    process.stderr.write(`${USAGE}\n`);
    process.stdout.write(flagHelp());
    return 0;
  }
  if (given.values.get("version") === "true") return printVersion();
  const config = makeConfig(given);
  if (config instanceof ConfigProblem) return refuse(config);
  if (process.env.ETCD_VERIFY === "all") enableVerify(true);
  const log = createLogger({
    level: config["log-level"],
    format: config["log-format"] as "json" | "console",
    outputs: config["log-outputs"],
  });
  log.info("Running: ", { args: [process.argv0, ...args] });
  for (const [name, value] of given.variables) {
    log.info("recognized and used environment variable", {
      "variable-name": name,
      "variable-value": value,
    });
  }
  for (const warning of config.warnings) log.warn(warning);
  return start(config, log);
}

function refuse(problem: ConfigProblem): number {
  if (problem.usage) {
    process.stderr.write(`${problem.message}\n${USAGE}`);
    return EXIT_USAGE;
  }
  createLogger({ level: "info", format: "json", outputs: ["stderr"] }).error(
    "failed to verify flags",
    { error: problem.message },
  );
  return EXIT_CONFIG;
}

async function start(config: Config, log: RootLogger): Promise<number> {
  const options = memberOptions(config, log, (error) => dieOfDisk(log, error));
  if (options instanceof ConfigProblem) return refuse(options);
  log.info("starting an etcd server", { ...config, warnings: undefined });
  let member: Member;
  try {
    member = new Member(options);
  } catch (error) {
    return failed(log, error);
  }
  const edges = makeEdges(config, member, options.clock, log);
  const listeners = makeListeners(config, member, edges, options.clock, log);
  try {
    // Bound first and answering once the log is replayed: nothing is served before that.
    await new Promise<void>((ready) => member.start(ready));
    await Promise.all(listeners.map((listener) => listener.start()));
  } catch (error) {
    return failed(log, error);
  }
  announce(config, log);
  stopOnSignal(member, listeners, log);
  return STAYS;
}

function announce(config: Config, log: RootLogger): void {
  log.info("ready to serve client requests");
  for (const url of config["listen-client-urls"]) {
    const secure = url.startsWith("https") || url.startsWith("unixs");
    const fields = { traffic: "grpc+http", address: url.replace(/^\w+:\/\//, "") };
    if (secure) log.info("serving client traffic securely", fields);
    else {
      log.info("serving client traffic insecurely; this is strongly discouraged!", fields);
    }
  }
  notifySupervisor(log);
}

/** Expected refusals are one line; anything else is a bug and shows its stack. */
function failed(log: RootLogger, error: unknown): number {
  const expected =
    error instanceof StartProblem ||
    error instanceof WalDamage ||
    error instanceof TreeDamage ||
    error instanceof DiskError ||
    error instanceof TlsConfigError;
  const text = error instanceof Error ? error.message : String(error);
  const system = (error as NodeJS.ErrnoException).code !== undefined;
  log.error("discovery failed", {
    error: expected || system ? bindText(error, text) : ((error as Error).stack ?? text),
  });
  return EXIT_CONFIG;
}

function bindText(error: unknown, text: string): string {
  const { code, address, port } = error as { code?: string; address?: string; port?: number };
  if (code !== "EADDRINUSE") return text;
  return `listen tcp ${address ?? ""}:${port ?? ""}: bind: address already in use`;
}

/** Acknowledged means on disk: after a failed write or sync nothing may be acknowledged any more, ever. */
function dieOfDisk(log: RootLogger, error: DiskError): void {
  log.error("the disk failed; ending before anything unsafe is acknowledged", {
    operation: error.operation,
    path: error.path,
    error: error.message,
  });
  process.exit(EXIT_CONFIG);
}

function stopOnSignal(member: Member, listeners: readonly Listener[], log: RootLogger): void {
  let stopping = false;
  const stop = async (signal: "SIGTERM" | "SIGINT"): Promise<void> => {
    if (stopping) return;
    stopping = true;
    const name = signal === "SIGINT" ? "interrupt" : "terminated";
    log.info("received signal; shutting down", { signal: name });
    log.info("closing etcd server");
    log.info("skipped leadership transfer for single voting member cluster");
    await Promise.all(listeners.map((listener) => listener.stop(STOP_GRACE_MS)));
    await new Promise<void>((done) => member.stop(done));
    log.info("closed etcd server");
    if (process.pid === 1) process.exit(0);
    // As a real member: the wait status says which signal it was.
    process.removeAllListeners(signal);
    process.kill(process.pid, signal);
  };
  process.on("SIGTERM", () => void stop("SIGTERM"));
  process.on("SIGINT", () => void stop("SIGINT"));
}
