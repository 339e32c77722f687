/**
 * The Huffman code of HPACK (RFC 7541, appendix B). The code is canonical: within one length, codes rise with
 * the symbol, so the lengths alone define it. Decoding walks four bits at a time through a table of states.
 */
const EOS = 256;
// Code length in bits of each byte value, then of EOS.
// biome-ignore format: a table
const LENGTHS: readonly number[] = [
  13, 23, 28, 28, 28, 28, 28, 28, 28, 24, 30, 28, 28, 30, 28, 28,
  28, 28, 28, 28, 28, 28, 30, 28, 28, 28, 28, 28, 28, 28, 28, 28,
  6, 10, 10, 12, 13, 6, 8, 11, 10, 10, 8, 11, 8, 6, 6, 6,
  5, 5, 5, 6, 6, 6, 6, 6, 6, 6, 7, 8, 15, 6, 12, 10,
  13, 6, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7,
  7, 7, 7, 7, 7, 7, 7, 7, 8, 7, 8, 13, 19, 13, 14, 6,
  15, 5, 6, 5, 6, 5, 6, 6, 6, 5, 7, 7, 6, 6, 6, 5,
  6, 7, 6, 5, 5, 6, 7, 7, 7, 7, 7, 15, 11, 14, 13, 28,
  20, 22, 20, 20, 22, 22, 22, 23, 22, 23, 23, 23, 23, 23, 24, 23,
  24, 24, 22, 23, 24, 23, 23, 23, 23, 21, 22, 23, 22, 23, 23, 24,
  22, 21, 20, 22, 22, 23, 23, 21, 23, 22, 22, 24, 21, 22, 23, 23,
  21, 21, 22, 21, 23, 22, 23, 23, 20, 22, 22, 22, 23, 22, 22, 23,
  26, 26, 20, 19, 22, 23, 22, 25, 26, 26, 26, 27, 27, 26, 24, 25,
  19, 21, 26, 27, 27, 26, 27, 24, 21, 21, 26, 26, 28, 27, 27, 27,
  20, 24, 20, 21, 22, 21, 21, 23, 22, 22, 25, 25, 24, 24, 26, 23,
  26, 27, 26, 26, 27, 27, 27, 27, 27, 28, 27, 27, 27, 27, 27, 26,
  30,
];

const CODES = canonicalCodes();

function canonicalCodes(): Uint32Array {
  const codes = new Uint32Array(LENGTHS.length);
  let code = 0;
  for (let length = 1; length <= 30; length++) {
    for (let symbol = 0; symbol < LENGTHS.length; symbol++) {
      if (LENGTHS[symbol] === length) codes[symbol] = code++;
    }
    code *= 2;
  }
  return codes;
}

// One entry per state and nibble: next state | symbol << 9 | flags.
const HAS_SYMBOL = 1 << 17;
const FAILED = 1 << 18;
const STATE_MASK = 0x1ff;
const tables = decodingTables();

/** `accepts[state]`: the bits since the last symbol are a valid end, fewer than eight ones (RFC 7541, 5.2). */
function decodingTables(): { steps: Int32Array; accepts: Uint8Array } {
  // A binary tree first: children[node * 2 + bit] is a node, or ~symbol.
  const children: number[] = [0, 0];
  for (let symbol = 0; symbol < LENGTHS.length; symbol++) {
    let node = 0;
    for (let bit = LENGTHS[symbol]! - 1; bit >= 0; bit--) {
      const slot = node * 2 + (Math.floor(CODES[symbol]! / 2 ** bit) & 1);
      if (bit === 0) {
        children[slot] = ~symbol;
      } else {
        if (children[slot] === 0) {
          children[slot] = children.length / 2;
          children.push(0, 0);
        }
        node = children[slot]!;
      }
    }
  }
  const nodeCount = children.length / 2;
  const steps = new Int32Array(nodeCount * 16);
  for (let state = 0; state < nodeCount; state++) {
    for (let nibble = 0; nibble < 16; nibble++) {
      steps[state * 16 + nibble] = stepOf(children, state, nibble);
    }
  }
  const accepts = new Uint8Array(nodeCount);
  let node = 0;
  for (let ones = 0; ones < 8; ones++) {
    accepts[node] = 1;
    node = children[node * 2 + 1]!;
  }
  return { steps, accepts };
}

function stepOf(children: readonly number[], state: number, nibble: number): number {
  let node = state;
  let entry = 0;
  for (let bit = 3; bit >= 0; bit--) {
    const next = children[node * 2 + ((nibble >> bit) & 1)]!;
    if (next < 0) {
      if (~next === EOS) return FAILED;
      entry = (~next << 9) | HAS_SYMBOL;
      node = 0;
    } else {
      node = next;
    }
  }
  return entry | node;
}

/**
 * Decodes bytes[start, end) into `target`, which must hold 8/5 of the input. Returns the count of bytes written,
 * or -1 for an invalid code (EOS within, padding that is too long or not all ones).
 */
export function huffmanDecode(
  bytes: Uint8Array,
  start: number,
  end: number,
  target: Uint8Array,
): number {
  const { steps, accepts } = tables;
  let state = 0;
  let count = 0;
  for (let i = start; i < end; i++) {
    const byte = bytes[i]!;
    const high = steps[state * 16 + (byte >> 4)]!;
    if (high & HAS_SYMBOL) target[count++] = high >> 9;
    const low = steps[(high & STATE_MASK) * 16 + (byte & 15)]!;
    if (low & HAS_SYMBOL) target[count++] = low >> 9;
    if ((high | low) & FAILED) return -1;
    state = low & STATE_MASK;
  }
  return accepts[state] === 1 ? count : -1;
}

/** Encoded length in bytes of text whose characters are all below 256. */
export function huffmanBytes(text: string): number {
  let bits = 0;
  for (let i = 0; i < text.length; i++) bits += LENGTHS[text.charCodeAt(i)]!;
  return (bits + 7) >>> 3;
}

/** Writes the code of `text` (characters below 256) at `at`; the caller made room. Returns the end. */
export function huffmanEncode(text: string, target: Uint8Array, at: number): number {
  let position = at;
  // At most seven bits wait here between symbols; a code has up to 30, so the sum is kept as a double.
  let pending = 0;
  let pendingBits = 0;
  for (let i = 0; i < text.length; i++) {
    const symbol = text.charCodeAt(i);
    const length = LENGTHS[symbol]!;
    pending = pending * 2 ** length + CODES[symbol]!;
    pendingBits += length;
    while (pendingBits >= 8) {
      pendingBits -= 8;
      const unit = 2 ** pendingBits;
      const byte = Math.floor(pending / unit);
      target[position++] = byte;
      pending -= byte * unit;
    }
  }
  if (pendingBits > 0) {
    const padding = 8 - pendingBits;
    target[position++] = pending * 2 ** padding + (2 ** padding - 1);
  }
  return position;
}
