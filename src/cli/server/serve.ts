/** `cairn server`, also started as etcd: command line, environment or file, then the member. */
import { enableVerify } from "../../base/assert.ts";
import { createLogger, type RootLogger } from "../../io/bun/index.ts";
import { type Config, type MadeConfig, makeConfig } from "./config.ts";
import { readConfigFile } from "./config-file.ts";
import { ConfigProblem } from "./config-problem.ts";
import { defaultHost } from "./default-host.ts";
import type { GivenFlags } from "./given-flags.ts";
import { type CommandLine, parseArguments } from "./parse-arguments.ts";
import { configFileOf, readEnvironment } from "./read-environment.ts";
import { EXIT_OK, refuse, sayNotices } from "./refuse.ts";
import { flagHelp, USAGE } from "./usage.ts";
import { printVersion } from "./version-text.ts";

const VERIFY_WORDS: ReadonlySet<string> = new Set(["all", "assert"]);

export async function runServer(args: readonly string[]): Promise<number> {
  const line = parseArguments(args);
  if (line instanceof ConfigProblem) return refuse(line, [], args);
  if (line.help) {
    process.stderr.write(`${USAGE}\n`);
    process.stdout.write(flagHelp());
    return EXIT_OK;
  }
  if (wantsVersion(line.given)) return printVersion();
  const given = settingsOf(line);
  if (given instanceof ConfigProblem) return refuse(given, line.given.notices, args);
  const made = makeConfig(given, defaultHost);
  if (made instanceof ConfigProblem) return refuse(made, given.notices, args);
  if (VERIFY_WORDS.has(process.env.ETCD_VERIFY ?? "")) enableVerify(true);
  const log = openLog(made.config);
  if (log instanceof ConfigProblem) return refuse(log, given.notices, args);
  sayStart(log, given, made, args);
  // Loaded only now: a refused start, a version and a help text come at once.
  return (await import("./start-member.ts")).startMember(made.config, log);
}

function wantsVersion(given: GivenFlags): boolean {
  return ["1", "t", "T", "TRUE", "true", "True"].includes(given.values.get("version") ?? "");
}

/** A configuration file replaces everything else. */
function settingsOf(line: CommandLine): GivenFlags | ConfigProblem {
  const file = line.given.configFile || configFileOf(process.env);
  if (file !== "") return readConfigFile(file);
  return readEnvironment(process.env, line) ?? line.given;
}

function openLog(config: Config): RootLogger | ConfigProblem {
  try {
    return createLogger({
      level: config["log-level"],
      format: config["log-format"] as "json" | "console",
      outputs: config["log-outputs"],
    });
  } catch (error) {
    const outputs = config["log-outputs"].join();
    return new ConfigProblem("verify", `open sink "${outputs}": ${(error as Error).message}`);
  }
}

function sayStart(
  log: RootLogger,
  given: GivenFlags,
  made: MadeConfig,
  args: readonly string[],
): void {
  if (given.configFile !== "") {
    log.info(
      "loaded server configuration, other configuration command line flags and environment " +
        "variables will be ignored if provided",
      { path: given.configFile },
    );
  }
  const early = made.notices.filter((notice) => "variable-name" in notice.fields);
  const late = made.notices.filter((notice) => !("variable-name" in notice.fields));
  sayNotices(log, early);
  log.info("Running: ", { args: [process.argv0, ...args] });
  sayNotices(log, late);
}
