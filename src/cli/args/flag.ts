/** What a flag is: its names, kind, default and text. Data only; FlagSet holds the values of one run. */
export type FlagKind = "bool" | "string" | "int64" | "duration" | "list";

export interface FlagSpec {
  readonly name: string;
  readonly shorthand?: string;
  readonly kind: FlagKind;
  /** As it would be written on the command line. */
  readonly default: string;
  readonly usage: string;
  /** Subcommands know the flag too. */
  readonly persistent?: boolean;
}

export function boolFlag(name: string, usage: string): FlagSpec {
  return { name, kind: "bool", default: "false", usage };
}

export function stringFlag(name: string, usage: string, value = ""): FlagSpec {
  return { name, kind: "string", default: value, usage };
}

export function int64Flag(name: string, usage: string): FlagSpec {
  return { name, kind: "int64", default: "0", usage };
}

export function durationFlag(name: string, usage: string, value: string): FlagSpec {
  return { name, kind: "duration", default: value, usage };
}
