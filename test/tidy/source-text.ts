// TypeScript source as the tidy tests look at it: comments, strings and regular expressions blanked
// out with spaces, so that a search for a word or a brace meets only code. Line numbers stay.

/** Words after which a slash begins a regular expression, not a division. */
const regularExpressionBefore = /(?:^|[(,=:[!&|?{};+\-*%<>~^]|\breturn|\btypeof|\bcase|=>)\s*$/;
const lookBehindCharacters = 12;

type Keep = "nothing" | "strings";

/** Blanks comments and regular expressions, and strings too unless they are kept. */
export function codeOf(source: string, keep: Keep = "nothing"): string {
  const scanner = new Scanner(source, keep);
  return scanner.run();
}

class Scanner {
  readonly #source: string;
  readonly #keep: Keep;
  #position = 0;
  #code = "";

  constructor(source: string, keep: Keep) {
    this.#source = source;
    this.#keep = keep;
  }

  run(): string {
    this.#scan(null);
    return this.#code;
  }

  /** Code up to the end, or to the brace that closes a template's `${`. */
  #scan(until: "}" | null): void {
    let depth = 0;
    while (this.#position < this.#source.length) {
      const character = this.#source[this.#position]!;
      if (until === "}" && character === "}" && depth === 0) return;
      if (character === "{") depth++;
      if (character === "}") depth--;
      if (this.#skipSpecial(character)) continue;
      this.#code += character;
      this.#position++;
    }
  }

  #skipSpecial(character: string): boolean {
    const next = this.#source[this.#position + 1];
    if (character === "/" && next === "/") return this.#blankUntil("\n", false);
    if (character === "/" && next === "*") return this.#blankUntil("*/", true);
    if (character === '"' || character === "'") return this.#string(character);
    if (character === "`") return this.#template();
    if (
      character === "/" &&
      regularExpressionBefore.test(this.#code.slice(-lookBehindCharacters))
    ) {
      return this.#regularExpression();
    }
    return false;
  }

  #blankUntil(end: string, inclusive: boolean): true {
    const found = this.#source.indexOf(end, this.#position + 1);
    const stop = found < 0 ? this.#source.length : found + (inclusive ? end.length : 0);
    this.#blank(stop);
    return true;
  }

  #string(quote: string): true {
    let stop = this.#position + 1;
    while (stop < this.#source.length && this.#source[stop] !== quote) {
      stop += this.#source[stop] === "\\" ? 2 : 1;
    }
    stop++;
    if (this.#keep === "strings") {
      this.#code += this.#source.slice(this.#position, stop);
      this.#position = stop;
    } else {
      this.#blank(stop);
    }
    return true;
  }

  /** The text of a template is blanked, the code inside it is not. */
  #template(): true {
    this.#blank(this.#position + 1);
    while (this.#position < this.#source.length && this.#source[this.#position] !== "`") {
      if (this.#source.startsWith("${", this.#position)) {
        this.#code += "  ";
        this.#position += 2;
        this.#scan("}");
        this.#blank(this.#position + 1);
      } else {
        this.#blank(this.#position + (this.#source[this.#position] === "\\" ? 2 : 1));
      }
    }
    this.#blank(this.#position + 1);
    return true;
  }

  #regularExpression(): true {
    let stop = this.#position + 1;
    let inClass = false;
    while (stop < this.#source.length && (inClass || this.#source[stop] !== "/")) {
      if (this.#source[stop] === "[") inClass = true;
      if (this.#source[stop] === "]") inClass = false;
      stop += this.#source[stop] === "\\" ? 2 : 1;
    }
    this.#blank(stop + 1);
    return true;
  }

  #blank(stop: number): void {
    this.#code += this.#source.slice(this.#position, stop).replace(/[^\n]/g, " ");
    this.#position = Math.min(stop, this.#source.length);
  }
}

export interface ImportOf {
  readonly from: string;
  readonly line: number;
  /** Only types: nothing of it runs. */
  readonly typeOnly: boolean;
}

const importPatterns = [
  /\b(?<what>import|export)\s+(?<clause>[\w\s{},*$"'-]*?)\s*\bfrom\s*["'](?<from>[^"']+)["']/g,
  /\bimport\s*(?<clause>)["'](?<from>[^"']+)["']/g,
  /\b(?:import|require)\s*\(\s*(?<clause>)["'](?<from>[^"']+)["']/g,
];

/** Every import, re-export and dynamic import, types included. */
export function importsOf(source: string): ImportOf[] {
  const code = codeOf(source, "strings");
  const found: ImportOf[] = [];
  for (const pattern of importPatterns) {
    for (const match of code.matchAll(pattern)) {
      const clause = match.groups?.clause?.trim() ?? "";
      const named = clause.startsWith("{") ? clause.replace(/[{}]/g, "").split(",") : [clause];
      const names = named.map((name) => name.trim()).filter((name) => name !== "");
      const typeOnly = names.length > 0 && names.every((name) => /^type\b/.test(name));
      found.push({
        from: match.groups?.from ?? "",
        line: code.slice(0, match.index).split("\n").length,
        typeOnly: typeOnly || /^type\b/.test(clause),
      });
    }
  }
  return found;
}
