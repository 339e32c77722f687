/** `cairn bench watch-latency`: how long after a put its event reaches the watchers. */
import { boolFlag, type Command, type FlagSet } from "../args/index.ts";
import { CONNECTION_FLAGS, CONNECTIONS_MAX, targetOf } from "./connection-flags.ts";
import { ASCII_FLAG, type BenchContext, styleOf } from "./context.ts";
import { type WatchPlan, WatchRun } from "./load/watch-run.ts";
import { KEY_BYTES_MAX, RATE_MAX, VALUE_BYTES_MAX } from "./load-flags.ts";
import { badFlag, boundedNumber, countFlag } from "./number-flags.ts";
import { watchJson, watchReportText } from "./report/watch-report.ts";
import { superviseRun } from "./supervise-run.ts";

const STREAMS_MAX = 100_000;
const WATCHERS_MAX = 100_000;
const PUTS_MAX = 10_000_000;

export const watchLatencyCommand: Command<BenchContext> = {
  name: "watch-latency",
  short: "Measures the time from a put to its event",
  long:
    "Opens --streams watch streams with --watchers-per-stream watchers each on one key, puts to that key, and\n" +
    "reports the time from the intended start of each put to each of its events.",
  flags: [
    ...CONNECTION_FLAGS,
    countFlag("streams", "how many watch streams, spread over --conns connections", 10),
    countFlag("watchers-per-stream", "how many watchers on each stream", 10),
    countFlag("put-total", "how many puts", 1000),
    countFlag("put-rate", "puts per second; 0: the next when the last is answered", 100),
    countFlag("key-size", "bytes of the watched key", 32),
    countFlag("val-size", "bytes per value, at least 8", 32),
    boolFlag("prev-kv", "ask for the value before with each event"),
    boolFlag("json", "print the report as JSON"),
    ASCII_FLAG,
  ],
  async run(context, flags) {
    if (flags.words.length > 0) badFlag("watch-latency takes no arguments");
    const plan = watchPlan(flags);
    const run = new WatchRun(await targetOf(context, flags), plan);
    const isJson = flags.flag("json");
    const style = styleOf(context, flags);
    const result = await superviseRun({ ...context, style }, isJson, {
      stop: () => run.stop(),
      progress: () => run.progress(),
      work: () => run.run(),
    });
    context.io.stdout.write(
      isJson ? `${JSON.stringify(watchJson(plan, result))}\n` : watchReportText(result, style),
    );
    if (result.missing > 0) badFlag(`${result.missing} events never came`);
    if (result.events.count === 0) badFlag("no event came");
  },
};

function watchPlan(flags: FlagSet): WatchPlan {
  return {
    connections: boundedNumber(flags, "conns", 1, CONNECTIONS_MAX),
    streams: boundedNumber(flags, "streams", 1, STREAMS_MAX),
    watchersPerStream: boundedNumber(flags, "watchers-per-stream", 1, WATCHERS_MAX),
    putTotal: boundedNumber(flags, "put-total", 1, PUTS_MAX),
    putRatePerSecond: boundedNumber(flags, "put-rate", 0, RATE_MAX),
    keyBytes: boundedNumber(flags, "key-size", 1, KEY_BYTES_MAX),
    valueBytes: boundedNumber(flags, "val-size", 8, VALUE_BYTES_MAX),
    hasPreviousValue: flags.flag("prev-kv"),
  };
}
