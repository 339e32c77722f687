// The lengths of functions, found by their braces: a block is a function's body when it follows an
// arrow, or a parameter list (with or without a return type) that belongs to no control statement.

import { codeOf } from "./source-text.ts";

export interface FunctionSize {
  readonly line: number;
  readonly lines: number;
}

const controlWords = /\b(?:if|for|while|switch|catch|with)\s*$/;

export function functionSizes(source: string): FunctionSize[] {
  const code = codeOf(source);
  const open: { at: number; isFunction: boolean; isType: boolean }[] = [];
  const sizes: FunctionSize[] = [];
  let closedType = -1;
  for (let position = 0; position < code.length; position++) {
    if (code[position] === "{") {
      const before = code.slice(0, position).trimEnd();
      const afterType = closedType >= 0 && before.length - 1 === closedType;
      open.push({
        at: position,
        isFunction: afterType || isBody(before),
        isType: /\)\s*:\s*(?:\w+\s*[<|]\s*)*$/.test(before),
      });
    }
    if (code[position] === "}") {
      const block = open.pop();
      if (block?.isType) closedType = position;
      if (block?.isFunction) sizes.push(sizeOf(code, block.at, position));
    }
  }
  return sizes;
}

function isBody(before: string): boolean {
  if (before.endsWith("=>")) return true;
  const signature = /\)(?:\s*:\s*[^;{}()=]+)?$/.exec(before);
  if (signature === null) return false;
  return !controlWords.test(before.slice(0, openingOf(before, signature.index)));
}

/** Where the bracket that closes at this position opens. */
function openingOf(code: string, closing: number): number {
  let depth = 0;
  for (let position = closing; position >= 0; position--) {
    if (code[position] === ")") depth++;
    if (code[position] === "(" && --depth === 0) return position;
  }
  return 0;
}

function sizeOf(code: string, start: number, end: number): FunctionSize {
  const line = code.slice(0, start).split("\n").length;
  return { line, lines: code.slice(start, end).split("\n").length };
}
