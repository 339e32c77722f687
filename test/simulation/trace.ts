/**
 * What happened in a run, line by line: a running hash of all of it, and the last part as text. Two runs
 * of one seed must have equal hashes; the text is what a reader gets when a run went wrong.
 */
const KEPT_LINES = 600;

export class Trace {
  lineCount = 0;
  #low = 0x811c9dc5;
  #high = 0x9747b28c;
  readonly #kept: string[] = new Array(KEPT_LINES);
  readonly #sink: ((line: string) => void) | null;

  /** `sink` gets every line. */
  constructor(sink: ((line: string) => void) | null = null) {
    this.#sink = sink;
  }

  add(atMs: number, text: string): void {
    const line = `${atMs.toFixed(3)} ${text}`;
    let low = this.#low;
    let high = this.#high;
    for (let i = 0; i < line.length; i++) {
      low = Math.imul(low ^ line.charCodeAt(i), 0x01000193);
      high = Math.imul((high ^ low) >>> 3, 0x85ebca6b) + i;
    }
    this.#low = low;
    this.#high = high;
    this.#kept[this.lineCount % KEPT_LINES] = line;
    this.lineCount++;
    this.#sink?.(line);
  }

  hash(): string {
    return hex(this.#high) + hex(this.#low);
  }

  /** The newest lines, oldest first. */
  last(count: number): string[] {
    const lines: string[] = [];
    const first = Math.max(0, this.lineCount - Math.min(count, KEPT_LINES));
    for (let i = first; i < this.lineCount; i++) lines.push(this.#kept[i % KEPT_LINES]!);
    return lines;
  }
}

function hex(value: number): string {
  return (value >>> 0).toString(16).padStart(8, "0");
}
