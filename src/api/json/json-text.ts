/**
 * Reads one JSON value out of a text, as the two parsers of etcd's gateway do together: the texts of errors
 * are theirs. Numbers that JavaScript would round stay source text, repeated names of an object stay
 * visible, and a second run can record where everything stood, for an error message.
 * Called by json-decode.ts; foreign text throws JsonTextError and nothing else.
 */

/**
 * Nested arrays and objects. Every level of messages that a decoder of the binary form accepts (100) fits,
 * and nothing accepted here is too deep for that decoder later, when it reads the log.
 */
const DEPTH_MAX = 140;
/** Integers of so many digits are exact as numbers. */
const EXACT_DIGITS_MAX = 15;

export class JsonTextError extends Error {
  override name = "JsonTextError";
}

/** The text is JSON, but a string in it is no text; `at` is where the string begins. */
export class JsonStringError extends Error {
  override name = "JsonStringError";
  readonly at: number;
  constructor(message: string, at: number) {
    super(message);
    this.at = at;
  }
}

/** A number token that is not a plain small integer. */
export class NumberText {
  readonly text: string;
  constructor(text: string) {
    this.text = text;
  }
}

/** Stands for the value of a name that an object has more than once. */
export class RepeatedName {
  readonly name: string;
  constructor(name: string) {
    this.name = name;
  }
}

export type JsonValue =
  | null
  | boolean
  | number
  | string
  | NumberText
  | RepeatedName
  | JsonValue[]
  | { [name: string]: JsonValue };

export interface JsonPlace {
  /** Where the value begins, of repeated names the first one's. */
  readonly valueAt: number;
  /** Where the name before it begins, of repeated names the last one. */
  lastNameAt: number;
}

/** Places by path, such as `/compare/0/key`. */
export type JsonPlaces = Map<string, JsonPlace>;

export class JsonText {
  readonly text: string;
  at: number;
  #depth = 0;
  readonly #places: JsonPlaces | null;
  #path = "";

  constructor(text: string, at = 0, places: JsonPlaces | null = null) {
    this.text = text;
    this.at = at;
    this.#places = places;
  }

  /** Steps over white space; true at the end of the text. */
  skipSpace(): boolean {
    const text = this.text;
    let at = this.at;
    for (; at < text.length; at++) {
      const code = text.charCodeAt(at);
      if (code !== 32 && code !== 10 && code !== 13 && code !== 9) break;
    }
    this.at = at;
    return at >= text.length;
  }

  value(): JsonValue {
    if (this.skipSpace()) throw new JsonTextError("unexpected EOF");
    const code = this.text.charCodeAt(this.at);
    if (code === 0x22) return this.#string();
    if (code === 0x7b) return this.#object();
    if (code === 0x5b) return this.#array();
    if (code === 0x2d || (code >= 0x30 && code <= 0x39)) return this.#number();
    if (code === 0x74) return this.#literal("true", true);
    if (code === 0x66) return this.#literal("false", false);
    if (code === 0x6e) return this.#literal("null", null);
    throw this.#unexpected("looking for beginning of value");
  }

  #object(): JsonValue {
    this.#enter();
    const members: { [name: string]: JsonValue } = {};
    const path = this.#path;
    this.at++;
    if (this.#peek() === 0x7d) return this.#leave(members);
    for (;;) {
      if (this.#peek() !== 0x22)
        throw this.#unexpected("looking for beginning of object key string");
      const nameAt = this.at;
      const name = this.#string();
      if (this.#peek() !== 0x3a) throw this.#unexpected("after object key");
      this.at++;
      if (this.#places !== null) this.#place(`${path}/${name}`, nameAt);
      const value = this.value();
      // No message has a field of this name, and assigning to it would do something else.
      if (name !== "__proto__") {
        members[name] = Object.hasOwn(members, name) ? new RepeatedName(name) : value;
      }
      const next = this.#peek();
      if (next === 0x7d) break;
      if (next !== 0x2c) throw this.#unexpected("after object key:value pair");
      this.at++;
    }
    this.#path = path;
    return this.#leave(members);
  }

  #array(): JsonValue {
    this.#enter();
    const items: JsonValue[] = [];
    const path = this.#path;
    this.at++;
    if (this.#peek() === 0x5d) return this.#leave(items);
    for (;;) {
      if (this.#places !== null) {
        this.skipSpace();
        this.#place(`${path}/${items.length}`, this.at);
      }
      items.push(this.value());
      const next = this.#peek();
      if (next === 0x5d) break;
      if (next !== 0x2c) throw this.#unexpected("after array element");
      this.at++;
    }
    this.#path = path;
    return this.#leave(items);
  }

  #place(path: string, nameAt: number): void {
    this.skipSpace();
    this.#path = path;
    const place = this.#places!.get(path);
    if (place === undefined) this.#places!.set(path, { valueAt: this.at, lastNameAt: nameAt });
    else place.lastNameAt = nameAt;
  }

  #enter(): void {
    if (++this.#depth > DEPTH_MAX) throw new JsonTextError("exceeded max depth");
  }

  #leave<T>(value: T): T {
    this.#depth--;
    this.at++;
    return value;
  }

  /** The next code that is not white space; throws at the end of the text. */
  #peek(): number {
    if (this.skipSpace()) throw new JsonTextError("unexpected EOF");
    return this.text.charCodeAt(this.at);
  }

  #literal<T>(word: string, value: T): T {
    for (let i = 1; i < word.length; i++) {
      this.at++;
      if (this.text[this.at] !== word[i]) {
        throw this.#unexpected(`in literal ${word} (expecting '${word[i]}')`);
      }
    }
    this.at++;
    return value;
  }

  #number(): JsonValue {
    const start = this.at;
    const negative = this.text.charCodeAt(start) === 0x2d;
    if (negative) this.at++;
    if (this.#digit() === 0) this.at++;
    else if (this.#digits() === 0) throw this.#unexpected("in numeric literal");
    let plain = true;
    if (this.text.charCodeAt(this.at) === 0x2e) {
      plain = false;
      this.at++;
      if (this.#digits() === 0) throw this.#unexpected("after decimal point in numeric literal");
    }
    if ((this.text.charCodeAt(this.at) | 0x20) === 0x65) {
      plain = false;
      this.at++;
      const sign = this.text.charCodeAt(this.at);
      if (sign === 0x2b || sign === 0x2d) this.at++;
      if (this.#digits() === 0) throw this.#unexpected("in exponent of numeric literal");
    }
    const source = this.text.slice(start, this.at);
    return plain && source.length <= EXACT_DIGITS_MAX ? Number(source) : new NumberText(source);
  }

  /** The value of the digit here, or a number that is no digit. */
  #digit(): number {
    return this.text.charCodeAt(this.at) - 0x30;
  }

  #digits(): number {
    const start = this.at;
    for (let digit = this.#digit(); digit >= 0 && digit <= 9; digit = this.#digit()) this.at++;
    return this.at - start;
  }

  #string(): string {
    const start = this.at;
    const close = this.text.indexOf('"', start + 1);
    if (close > 0) {
      const content = this.text.slice(start + 1, close);
      if (!SPECIAL.test(content)) {
        this.at = close + 1;
        return content;
      }
    }
    return this.#escapedString(start);
  }

  #escapedString(start: number): string {
    const text = this.text;
    let out = "";
    let from = start + 1;
    for (this.at = from; ; this.at++) {
      if (this.at >= text.length) throw new JsonTextError("unexpected EOF");
      const code = text.charCodeAt(this.at);
      if (code === 0x22) break;
      if (code < 0x20) throw this.#unexpected("in string literal");
      if (code !== 0x5c) continue;
      out += text.slice(from, this.at);
      out += this.#escape(start);
      from = this.at + 1;
    }
    out += text.slice(from, this.at);
    this.at++;
    return out;
  }

  /** From a backslash to the last character of its escape. */
  #escape(stringAt: number): string {
    this.at++;
    if (this.at >= this.text.length) throw new JsonTextError("unexpected EOF");
    const letter = this.text[this.at]!;
    if (letter !== "u") {
      const plain = ESCAPES[letter];
      if (plain === undefined) throw this.#unexpected("in string escape code");
      return plain;
    }
    const escapeAt = this.at - 1;
    const unit = this.#hex();
    if (unit < 0xd800 || unit > 0xdfff) return String.fromCharCode(unit);
    // Half of a pair alone is JSON, but no text.
    const next = this.text.slice(this.at + 1, this.at + 7);
    const low = /^\\u[0-9a-fA-F]{4}$/.test(next) ? Number.parseInt(next.slice(2), 16) : 0;
    if (unit > 0xdbff || low < 0xdc00 || low > 0xdfff) {
      throw new JsonStringError(
        next.length < 6 ? "" : `invalid escape code ${JSON.stringify(next)} in string`,
        next.length < 6 ? escapeAt : stringAt,
      );
    }
    this.at += 6;
    return String.fromCharCode(unit, low);
  }

  #hex(): number {
    for (let i = 0; i < 4; i++) {
      this.at++;
      if (!/^[0-9a-fA-F]$/.test(this.text[this.at] ?? "")) {
        throw this.#unexpected("in \\u hexadecimal character escape");
      }
    }
    return Number.parseInt(this.text.slice(this.at - 3, this.at + 1), 16);
  }

  #unexpected(where: string): JsonTextError {
    const point = this.text.codePointAt(this.at);
    if (point === undefined) return new JsonTextError("unexpected EOF");
    return new JsonTextError(`invalid character ${quoted(point)} ${where}`);
  }
}

// biome-ignore lint/suspicious/noControlCharactersInRegex: JSON forbids them inside strings
const SPECIAL = /[\\\u0000-\u001f]/;

const ESCAPES: Record<string, string | undefined> = {
  '"': '"',
  "\\": "\\",
  "/": "/",
  b: "\b",
  f: "\f",
  n: "\n",
  r: "\r",
  t: "\t",
};

const SHORT_ESCAPES: Record<number, string | undefined> = {
  7: "\\a",
  8: "\\b",
  9: "\\t",
  10: "\\n",
  11: "\\v",
  12: "\\f",
  13: "\\r",
  39: "\\'",
  92: "\\\\",
};

/** A character as etcd's parser quotes it: that parser looks at bytes, so only the first one of UTF-8 is shown. */
function quoted(point: number): string {
  let byte = point;
  if (point >= 0x10000) byte = 0xf0 | (point >> 18);
  else if (point >= 0x800) byte = 0xe0 | (point >> 12);
  else if (point >= 0x80) byte = 0xc0 | (point >> 6);
  const short = SHORT_ESCAPES[byte];
  if (short !== undefined) return `'${short}'`;
  if (byte < 0x20 || byte === 0x7f) return `'\\x${byte.toString(16).padStart(2, "0")}'`;
  return `'${String.fromCharCode(byte)}'`;
}
