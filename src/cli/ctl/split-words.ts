/**
 * Splits a line of a transaction or of an interactive watch into words: "Go string literals" with their escapes,
 * 'anything but a single quote', and runs of anything without spaces that do not begin with a quote.
 *
 * Inherited from etcdctl: a plain word may hold quotes inside but not at its end unless it is one letter long, so
 * a stray quote at an end falls off; an unclosed quote is skipped and its content is read as plain words.
 */
import { argumentOfBytes, goUnquote } from "../output/index.ts";

const WORD = /"(?:[^"\\]|\\.)*"|'[^']*'|[^'"\s]\S*[^'"\s]?/g;

/** The words, or null when a double-quoted one holds an escape that Go does not know. */
export function splitWords(line: string): string[] | null {
  const words: string[] = [];
  for (const [token] of line.matchAll(WORD)) {
    if (token[0] === "'") words.push(token.slice(1, -1));
    else if (token[0] === '"') {
      const unquoted = goUnquote(token);
      if (unquoted.kind !== "ok") return null;
      words.push(argumentOfBytes(unquoted.bytes));
    } else words.push(token);
  }
  return words;
}
