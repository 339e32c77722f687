/** What was asked for, before it is checked as a whole: on the command line and in the environment, or in a file. */
export interface GivenFlags {
  /** Raw values by flag name, after renaming. */
  readonly values: Map<string, string>;
  /** What is said in the log before anything else, in this order. */
  readonly notices: Notice[];
  /** The configuration file, which replaces command line and environment; "" for none. */
  configFile: string;
}

export interface Notice {
  readonly level: "info" | "warn";
  readonly message: string;
  readonly fields: Readonly<Record<string, string>>;
}

export function noGivenFlags(): GivenFlags {
  return { values: new Map(), notices: [], configFile: "" };
}

export function warnOf(given: GivenFlags, message: string, fields = {}): void {
  given.notices.push({ level: "warn", message, fields });
}
