/**
 * Structured logs with etcd's JSON keys (level, ts, caller, msg, then the fields), written synchronously: the last
 * lines before a fatal end are the ones that matter. "console" is the same for people: tabs between the parts.
 */
import * as fs from "node:fs";
import pino from "pino";
import type { LogFields, Logger } from "../logger.ts";

export interface LogOptions {
  /** etcd's names; dpanic and panic are fatal. */
  readonly level: string;
  readonly format: "json" | "console";
  /** "default" or "stderr", "stdout", or paths of files. */
  readonly outputs: readonly string[];
}

export interface RootLogger extends Logger {
  /** The last words of a process that cannot go on; the caller ends it. */
  fatal(message: string, fields?: LogFields): void;
  /** The same log, lines marked with the part of the program that wrote them. */
  named(caller: string): Logger;
}

/** As other programs make log files: whoever collects them reads them, unless the umask says otherwise. */
const LOG_FILE_MODE = 0o666;

const PINO_LEVELS: Record<string, string> = { dpanic: "fatal", panic: "fatal" };

export function createLogger(options: LogOptions): RootLogger {
  const streams = options.outputs.map((output) => ({ stream: openOutput(output, options.format) }));
  const level = PINO_LEVELS[options.level] ?? options.level;
  const target =
    streams.length === 1
      ? streams[0]!.stream
      : pino.multistream(streams.map(({ stream }) => ({ level: "trace", stream })));
  const root = pino(
    {
      level,
      base: null,
      messageKey: "msg",
      timestamp: () => `,"ts":"${timestamp(Date.now())}"`,
      formatters: { level: (label) => ({ level: label }) },
    },
    target,
  );
  const own = root.child({ caller: "cairn" });
  return {
    ...wrap(own),
    fatal: (message, fields) => own.fatal(line(message, fields)),
    named: (caller) => wrap(root.child({ caller })),
  };
}

function wrap(log: pino.Logger): Logger {
  return {
    debug: (message, fields) => log.debug(line(message, fields)),
    info: (message, fields) => log.info(line(message, fields)),
    warn: (message, fields) => log.warn(line(message, fields)),
    error: (message, fields) => log.error(line(message, fields)),
  };
}

/**
 * The message in front of its fields, as etcd writes it. Ids are bigint, which JSON does not know: they are written
 * as text. Errors are written as their message.
 */
function line(message: string, fields: LogFields | undefined): LogFields {
  const out: LogFields = { msg: message };
  for (const [name, value] of Object.entries(fields ?? {})) {
    if (typeof value === "bigint") out[name] = value.toString(16);
    else out[name] = value instanceof Error ? value.message : value;
  }
  return out;
}

/** The wall clock as etcd writes it: microseconds, UTC. */
function timestamp(wallMs: number): string {
  return `${new Date(wallMs).toISOString().slice(0, -1)}000Z`;
}

interface LogStream {
  write(line: string): void;
}

function openOutput(output: string, format: "json" | "console"): LogStream {
  const descriptor = descriptorOf(output);
  const transform = format === "json" ? (line: string) => line : consoleLine;
  return {
    write(line) {
      try {
        fs.writeSync(descriptor, transform(line));
      } catch {
        // A log that cannot be written (a closed pipe, a full disk) must not stop the store.
      }
    },
  };
}

function descriptorOf(output: string): number {
  if (output === "default" || output === "stderr") return 2;
  if (output === "stdout") return 1;
  return fs.openSync(output, "a", LOG_FILE_MODE);
}

function consoleLine(line: string): string {
  try {
    const { level, ts, caller, msg, ...fields } = JSON.parse(line) as Record<string, unknown>;
    const rest = Object.keys(fields).length === 0 ? "" : `\t${JSON.stringify(fields)}`;
    return `${ts}\t${level}\t${caller}\t${msg}${rest}\n`;
  } catch {
    return line;
  }
}
