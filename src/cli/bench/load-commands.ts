/** `cairn bench put`, `range` and `txn`: flags to a source of requests, a run, a report. */
import type { RangeRequestInit } from "../../api/index.ts";
import { boolFlag, type Command, type FlagSet, stringFlag } from "../args/index.ts";
import { CONNECTION_FLAGS, targetOf } from "./connection-flags.ts";
import { type BenchContext, styleOf } from "./context.ts";
import { LoadRun } from "./load/load-run.ts";
import {
  fixedRangeSource,
  putSource,
  type RequestSource,
  rangeSource,
  txnSource,
} from "./load/request-source.ts";
import {
  KEY_FLAGS,
  keyChoice,
  LOAD_FLAGS,
  loadPlan,
  VALUE_BYTES_MAX,
  VALUE_FLAG,
} from "./load-flags.ts";
import { badFlag, boundedNumber, countFlag } from "./number-flags.ts";
import { loadJson, loadReportText } from "./report/load-report.ts";
import { superviseRun } from "./supervise-run.ts";

const TXN_OPERATIONS_MAX = 10_000;
const LIMIT_MAX = Number.MAX_SAFE_INTEGER;

export const putCommand: Command<BenchContext> = {
  name: "put",
  short: "Writes keys",
  long: "Sends put requests and reports how long they took and how many fitted into a second.",
  flags: [...CONNECTION_FLAGS, ...LOAD_FLAGS, ...KEY_FLAGS, VALUE_FLAG],
  run: (context, flags) =>
    runLoad(context, flags, "put", () =>
      putSource(keyChoice(flags, Math.random), valueBytes(flags)),
    ),
};

export const txnCommand: Command<BenchContext> = {
  name: "txn",
  short: "Writes keys in transactions",
  long: "Sends transactions of --txn-ops puts on different keys, without conditions.",
  flags: [
    ...CONNECTION_FLAGS,
    ...LOAD_FLAGS,
    ...KEY_FLAGS,
    VALUE_FLAG,
    countFlag("txn-ops", "puts per transaction", 1),
  ],
  run: (context, flags) =>
    runLoad(context, flags, "txn", () => {
      const keys = keyChoice(flags, Math.random);
      const operations = boundedNumber(flags, "txn-ops", 1, TXN_OPERATIONS_MAX);
      if (operations > keys.keySpaceSize) {
        badFlag("--txn-ops must not be more than --key-space-size: a key may occur once");
      }
      return txnSource(keys, valueBytes(flags), operations);
    }),
};

export const rangeCommand: Command<BenchContext> = {
  name: "range",
  usage: "[key] [end]",
  short: "Reads keys",
  long:
    "Sends range requests: always the same key or range [key, end) when one is given, else single keys out of\n" +
    "the key space, which are those that `put` with the same key flags writes.",
  flags: [
    ...CONNECTION_FLAGS,
    ...LOAD_FLAGS,
    ...KEY_FLAGS,
    stringFlag("consistency", "l: linearizable, s: serializable", "l"),
    countFlag("limit", "most keys per answer; 0: all", 0),
    boolFlag("count-only", "ask for the number of keys alone"),
  ],
  run: (context, flags) => runLoad(context, flags, "range", () => rangeSourceOf(flags)),
};

function rangeSourceOf(flags: FlagSet): RequestSource {
  const consistency = flags.text("consistency");
  if (consistency !== "l" && consistency !== "s") badFlag("--consistency must be l or s");
  if (flags.words.length > 2) badFlag("range takes a key and an end at most");
  const request: RangeRequestInit = {
    serializable: consistency === "s",
    limit: boundedNumber(flags, "limit", 0, LIMIT_MAX),
    count_only: flags.flag("count-only"),
  };
  const [key, end] = flags.words;
  if (key === undefined) return rangeSource(keyChoice(flags, Math.random), request);
  if (key === "") badFlag("the key is empty");
  const range_end = end === undefined ? undefined : Buffer.from(end);
  return fixedRangeSource({ ...request, key: Buffer.from(key), range_end });
}

function valueBytes(flags: FlagSet): number {
  return boundedNumber(flags, "val-size", 0, VALUE_BYTES_MAX);
}

async function runLoad(
  context: BenchContext,
  flags: FlagSet,
  workload: string,
  makeSource: () => RequestSource,
): Promise<void> {
  if (workload !== "range" && flags.words.length > 0) badFlag(`${workload} takes no arguments`);
  const plan = loadPlan(flags);
  const source = makeSource();
  const run = new LoadRun(await targetOf(context, flags), plan, source);
  const isJson = flags.flag("json");
  const style = styleOf(context, flags);
  const result = await superviseRun({ ...context, style }, isJson, {
    stop: () => run.stop(),
    progress: () => ({
      fraction: run.progress(),
      elapsedMs: run.elapsedMs(),
      note: `${run.latencies.count} done, ${run.errors.total} failed`,
    }),
    work: () => run.run(),
  });
  const { clients, connections, ratePerSecond } = plan;
  const out = context.io.stdout;
  if (isJson) {
    const settings = { workload, clients, connections, rate: ratePerSecond };
    out.write(`${JSON.stringify({ ...settings, ...loadJson(result) })}\n`);
  } else {
    out.write(loadReportText(result, style));
  }
  if (result.latencies.count === 0) badFlag("no request succeeded");
}
