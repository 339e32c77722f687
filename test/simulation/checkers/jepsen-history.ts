// Reads the recorded Jepsen histories of histories/ (their README.md has the format).

import type { HistoryEntry, Outcome } from "./history.ts";
import type { RegisterInput, RegisterOutput } from "./register-model.ts";

export type RegisterEntry = HistoryEntry<RegisterInput, { value: RegisterOutput }>;

interface Open {
  readonly place: number;
  readonly input: RegisterInput;
  readonly callTime: number;
}

/** The place of a line is its time. */
export function parseJepsenHistory(text: string): RegisterEntry[] {
  const entries: RegisterEntry[] = [];
  const open = new Map<number, Open>();
  for (const [time, line] of text.split("\n").entries()) {
    if (line === "") continue;
    const match = /^INFO\s+jepsen\.util - (\d+)\s+:(\w+)\s+:(\w+)\s+(\S.*)$/.exec(line);
    if (match === null) throw new Error(`line ${time + 1} is no operation: ${line}`);
    const [, process, type, operation, value] = match as unknown as string[];
    const client = Number(process);
    if (type === "invoke") {
      if (open.has(client)) throw new Error(`line ${time + 1}: client ${client} has one open`);
      const input = parseInput(operation!, value!);
      open.set(client, { place: entries.length, input, callTime: time });
      entries.push({ client, input, callTime: time, outcome: { kind: "unknown" } });
      continue;
    }
    const call = open.get(client);
    if (call === undefined) throw new Error(`line ${time + 1}: client ${client} has none open`);
    open.delete(client);
    const outcome = parseOutcome(type!, call.input, value!, time);
    entries[call.place] = { client, input: call.input, callTime: call.callTime, outcome };
  }
  return entries;
}

function parseInput(operation: string, value: string): RegisterInput {
  const key = "register";
  if (operation === "read") return { kind: "read", key };
  if (operation === "write") return { kind: "write", key, value };
  const match = /^\[(\S+) (\S+)\]$/.exec(value);
  if (operation !== "cas" || match === null) throw new Error(`unknown: ${operation} ${value}`);
  return { kind: "cas", key, from: match[1]!, to: match[2]! };
}

function parseOutcome(
  type: string,
  input: RegisterInput,
  value: string,
  returnTime: number,
): Outcome<{ value: RegisterOutput }> {
  if (type === "info") return { kind: "unknown" };
  if (type === "ok") {
    if (input.kind === "cas") return { kind: "ok", output: { value: true }, returnTime };
    return { kind: "ok", output: { value: value === "nil" ? null : value }, returnTime };
  }
  if (type !== "fail") throw new Error(`unknown type: ${type}`);
  if (input.kind === "cas") return { kind: "ok", output: { value: false }, returnTime };
  return { kind: "failed" };
}
