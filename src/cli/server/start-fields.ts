/** Every effective setting, for the line at the start of each log: the first thing to read when something is odd. */
import { existsSync } from "node:fs";
import { availableParallelism } from "node:os";
import { CAIRN_VERSION, ETCD_VERSION } from "../../base/version.ts";
import type { LogFields } from "../../io/index.ts";
import type { MemberOptions } from "../../server/index.ts";
import { durationText } from "../args/go-duration.ts";
import type { Config } from "./config.ts";

const DURATIONS = [
  "heartbeat-interval",
  "election-timeout",
  "backend-batch-interval",
  "grpc-keepalive-min-time",
  "grpc-keepalive-interval",
  "grpc-keepalive-timeout",
  "compact-hash-check-time",
  "watch-progress-notify-interval",
  "warning-apply-duration",
] as const;

export function startFields(config: Config, options: MemberOptions): LogFields {
  const { name, "data-dir": data, "wal-dir": wal, ...rest } = config;
  const memberDirectory = `${data}/member`;
  const fields: LogFields = {
    "etcd-version": ETCD_VERSION,
    "cairn-version": CAIRN_VERSION,
    runtime: `Bun ${Bun.version}`,
    "max-cpu-available": availableParallelism(),
    "member-initialized": existsSync(wal),
    name,
    "data-dir": data,
    "wal-dir": wal,
    "member-dir": memberDirectory,
    ...rest,
    "quota-backend-bytes": Number.isFinite(options.quotaBytes) ? options.quotaBytes : -1,
  };
  for (const key of DURATIONS) fields[key] = durationText(config[key]);
  return fields;
}
