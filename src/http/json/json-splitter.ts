/**
 * Cuts a text that comes in parts into the JSON objects it consists of, without reading them: only brackets and
 * strings are told apart, each character is looked at once. Anything but white space between objects ends the
 * stream, as it does in etcd.
 */
export class JsonSplitter {
  readonly #lengthMax: number;
  /** Earlier parts of the object that is not complete yet. */
  #parts: string[] = [];
  #length = 0;
  #depth = 0;
  #inString = false;
  #escaped = false;
  /** Nothing follows: the text was no sequence of objects, or an object was too long. */
  ended = false;

  constructor(lengthMax: number) {
    this.#lengthMax = lengthMax;
  }

  /** Adds text; gives the objects that are complete now. */
  push(part: string): string[] {
    const objects: string[] = [];
    let start = 0;
    for (let at = 0; at < part.length && !this.ended; at++) {
      const code = part.charCodeAt(at);
      if (this.#depth === 0) {
        if (code === 0x7b) {
          start = at;
          this.#depth = 1;
        } else if (code !== 32 && code !== 10 && code !== 13 && code !== 9) {
          this.ended = true;
        }
      } else if (this.#closes(code)) {
        objects.push(this.#parts.join("") + part.slice(start, at + 1));
        this.#parts = [];
        this.#length = 0;
      }
    }
    if (this.#depth > 0 && !this.ended) this.#keep(part.slice(start));
    return objects;
  }

  #keep(rest: string): void {
    this.#length += rest.length;
    if (this.#length > this.#lengthMax) {
      this.ended = true;
      this.#parts = [];
      return;
    }
    this.#parts.push(rest);
  }

  /** Takes one character within an object; true when it was the last one. */
  #closes(code: number): boolean {
    if (this.#inString) {
      if (this.#escaped) this.#escaped = false;
      else if (code === 0x5c) this.#escaped = true;
      else if (code === 0x22) this.#inString = false;
      return false;
    }
    if (code === 0x22) this.#inString = true;
    else if (code === 0x7b || code === 0x5b) this.#depth++;
    else if (code === 0x7d || code === 0x5d) return --this.#depth === 0;
    return false;
  }
}
