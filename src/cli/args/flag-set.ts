/**
 * The flags a command knows and the values they got, parsed by the rules of the Go library that etcdctl uses:
 * flags anywhere between the words, `--name value` and `--name=value`, joined short flags, `--` ends the flags.
 */
import { goQuoteText } from "../output/go-quote.ts";
import type { FlagSpec } from "./flag.ts";
import { parseDurationMs } from "./go-duration.ts";
import { clampToSafe, parseBool, parseInt64 } from "./go-number.ts";

type FlagValue = string | boolean | number | string[];

interface FlagState {
  readonly spec: FlagSpec;
  value: FlagValue;
  changed: boolean;
}

export class FlagSet {
  readonly #flags = new Map<string, FlagState>();
  readonly #shorthands = new Map<string, FlagState>();
  /** The words that are no flags, in order. */
  words: string[] = [];
  /** How many of `words` stood before `--`; -1 without one. */
  wordsBeforeDash = -1;

  constructor(specs: readonly FlagSpec[]) {
    for (const spec of specs) {
      const state: FlagState = { spec, value: "", changed: false };
      state.value = initialValue(spec);
      this.#flags.set(spec.name, state);
      if (spec.shorthand !== undefined) this.#shorthands.set(spec.shorthand, state);
    }
  }

  /** Reads all arguments; the result is an error text or null. */
  parse(args: readonly string[]): string | null {
    this.words = [];
    for (let i = 0; i < args.length; i++) {
      const arg = args[i]!;
      if (arg.length < 2 || arg[0] !== "-") {
        this.words.push(arg);
        continue;
      }
      if (arg === "--") {
        this.wordsBeforeDash = this.words.length;
        this.words.push(...args.slice(i + 1));
        return null;
      }
      const next = args[i + 1];
      const result = arg[1] === "-" ? this.#long(arg, next) : this.#short(arg, next);
      if (typeof result === "string") return result;
      if (result.tookNext) i++;
    }
    return null;
  }

  /** Sets one flag as an environment variable or the command line does; an error text or null. */
  set(name: string, text: string): string | null {
    const state = this.#flags.get(name)!;
    const failure = assign(state, text);
    if (failure === null) state.changed = true;
    return failure;
  }

  specs(): FlagSpec[] {
    return [...this.#flags.values()].map((state) => state.spec);
  }

  changed(name: string): boolean {
    return this.#flags.get(name)?.changed ?? false;
  }

  text(name: string): string {
    return this.#flags.get(name)!.value as string;
  }

  flag(name: string): boolean {
    return this.#flags.get(name)!.value as boolean;
  }

  number(name: string): number {
    return this.#flags.get(name)!.value as number;
  }

  list(name: string): string[] {
    return this.#flags.get(name)!.value as string[];
  }

  /** Whether a word like --name can stand without a value; unknown flags are taken to need one. */
  needsNoValue(name: string): boolean {
    return this.#flags.get(name)?.spec.kind === "bool";
  }

  shorthandNeedsNoValue(letter: string): boolean {
    return this.#shorthands.get(letter)?.spec.kind === "bool";
  }

  #long(arg: string, next: string | undefined): string | { tookNext: boolean } {
    const body = arg.slice(2);
    if (body[0] === "-" || body[0] === "=") return `bad flag syntax: ${arg}`;
    const equals = body.indexOf("=");
    const name = equals < 0 ? body : body.slice(0, equals);
    const state = this.#flags.get(name);
    if (state === undefined) return `unknown flag: --${name}`;
    if (equals >= 0) return this.#take(state, body.slice(equals + 1), false);
    if (state.spec.kind === "bool") return this.#take(state, "true", false);
    if (next === undefined) return `flag needs an argument: ${arg}`;
    return this.#take(state, next, true);
  }

  #short(arg: string, next: string | undefined): string | { tookNext: boolean } {
    let letters = arg.slice(1);
    while (letters !== "") {
      const letter = String.fromCodePoint(letters.codePointAt(0)!);
      const state = this.#shorthands.get(letter);
      if (state === undefined) return `unknown shorthand flag: '${letter}' in -${letters}`;
      const rest = letters.slice(letter.length);
      if (rest.length > 1 && rest[0] === "=") return this.#take(state, rest.slice(1), false);
      if (state.spec.kind !== "bool") {
        if (rest !== "") return this.#take(state, rest, false);
        if (next === undefined) return `flag needs an argument: '${letter}' in -${letters}`;
        return this.#take(state, next, true);
      }
      const result = this.#take(state, "true", false);
      if (typeof result === "string") return result;
      letters = rest;
    }
    return { tookNext: false };
  }

  #take(state: FlagState, text: string, tookNext: boolean): string | { tookNext: boolean } {
    const failure = assign(state, text);
    if (failure === null) {
      state.changed = true;
      return { tookNext };
    }
    const { name, shorthand } = state.spec;
    const shown = shorthand === undefined ? `--${name}` : `-${shorthand}, --${name}`;
    return `invalid argument ${goQuoteText(text)} for "${shown}" flag: ${failure}`;
  }
}

function initialValue(spec: FlagSpec): FlagValue {
  const state: FlagState = { spec, value: "", changed: false };
  assign(state, spec.default);
  return state.value;
}

function assign(state: FlagState, text: string): string | null {
  switch (state.spec.kind) {
    case "string":
      state.value = text;
      return null;
    case "bool": {
      const parsed = parseBool(text);
      if ("failure" in parsed) return parsed.failure;
      state.value = parsed.value;
      return null;
    }
    case "int64": {
      const parsed = parseInt64(text, 0);
      if ("failure" in parsed) return parsed.failure;
      state.value = clampToSafe(parsed.value);
      return null;
    }
    case "duration": {
      const parsed = parseDurationMs(text);
      if ("failure" in parsed) return parsed.failure;
      state.value = parsed.value;
      return null;
    }
    case "list": {
      const items = text === "" ? [] : text.split(",").map(unquoteListItem);
      state.value = state.changed ? [...(state.value as string[]), ...items] : items;
      return null;
    }
  }
}

/** List values are comma separated with double quotes around items that need them. */
function unquoteListItem(item: string): string {
  const quoted = /^"(.*)"$/s.exec(item);
  return quoted ? quoted[1]!.replaceAll('""', '"') : item;
}
