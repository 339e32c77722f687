/**
 * What a server flag is. `support` says what this version does with it:
 * - "yes": it works;
 * - "ignored": etcd 3.7 ignores it as well, or it has no meaning here; using it is logged as a warning;
 * - "later": the feature behind it is not there yet; giving it another value than its default is refused at start,
 *   because an operator must not believe in a protection or a feature that is missing.
 */
export type FlagKind =
  | "string"
  | "uint"
  | "uint32"
  | "int"
  | "bool"
  /** From 0 up to, not including, 1. */
  | "share"
  | "duration"
  /** URLs, each once, sorted. */
  | "urls"
  /** URLs, or the one word "*". */
  | "origins"
  | "list";
export type FlagSupport = "yes" | "ignored" | "later";

export interface FlagRow {
  readonly name: string;
  readonly kind: FlagKind;
  /** As given on a command line. */
  readonly fallback: string;
  readonly support: FlagSupport;
  readonly help: string;
}

export interface FlagGroup {
  readonly title: string;
  readonly flags: readonly FlagRow[];
}

export function row(
  name: string,
  kind: FlagKind,
  fallback: string,
  help: string,
  support: FlagSupport = "yes",
): FlagRow {
  return { name, kind, fallback, support, help };
}
