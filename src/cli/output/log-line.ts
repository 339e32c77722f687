/** One line of etcd's JSON log, which its command line tools write to standard error. */
import { jsonObject, jsonString } from "./go-json.ts";

export type LogLevel = "info" | "warn" | "error" | "fatal";

export interface LogLine {
  readonly level: LogLevel;
  readonly logger?: string;
  readonly caller: string;
  readonly message: string;
  readonly fields?: readonly (readonly [name: string, value: string | number])[];
}

/** `wallMs` may carry fractions; they become microseconds. */
export function logLine(wallMs: number, line: LogLine): string {
  const entries: (readonly [string, string | undefined])[] = [
    ["level", jsonString(line.level)],
    ["ts", jsonString(timestamp(wallMs))],
    ["logger", line.logger === undefined ? undefined : jsonString(line.logger)],
    ["caller", jsonString(line.caller)],
    ["msg", jsonString(line.message)],
  ];
  for (const [name, value] of line.fields ?? []) {
    entries.push([name, typeof value === "string" ? plainString(value) : String(value)]);
  }
  return `${jsonObject(entries)}\n`;
}

/** The log does not escape `<`, `>` and `&`. */
function plainString(text: string): string {
  return JSON.stringify(text.toWellFormed());
}

function timestamp(wallMs: number): string {
  const microseconds = Math.floor((wallMs - Math.floor(wallMs)) * 1000);
  const date = new Date(Math.floor(wallMs));
  const minutesEast = -date.getTimezoneOffset();
  const local = new Date(date.getTime() + minutesEast * 60_000).toISOString().slice(0, -1);
  return `${local}${String(microseconds).padStart(3, "0")}${zone(minutesEast)}`;
}

function zone(minutesEast: number): string {
  if (minutesEast === 0) return "Z";
  const minutes = Math.abs(minutesEast);
  const digits =
    `${Math.floor(minutes / 60)}`.padStart(2, "0") + `${minutes % 60}`.padStart(2, "0");
  return `${minutesEast < 0 ? "-" : "+"}${digits}`;
}
