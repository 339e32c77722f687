/** What every etcdctl command gets: streams, environment and the ports it acts through. */
import type { Clock, Disk, NewDigest } from "../../io/index.ts";
import type { CommandIo, Environment, LogLine } from "../output/index.ts";
import { logLine } from "../output/index.ts";

export interface ControlContext {
  readonly io: CommandIo;
  readonly environment: Environment;
  readonly clock: Clock;
  readonly disk: Disk;
  readonly newDigest: NewDigest;
}

/** Writes one line of JSON log to standard error. */
export function logTo(context: ControlContext, line: LogLine): void {
  context.io.stderr.write(logLine(context.clock.wallMs(), line));
}
