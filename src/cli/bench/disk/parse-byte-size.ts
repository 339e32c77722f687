/** Sizes as people type them: 4096, 64K, 64KiB, 64M, 1.5G; powers of 1024. Null for anything else. */
const UNITS: Readonly<Record<string, number>> = { "": 1, k: 1024, m: 1024 ** 2, g: 1024 ** 3 };

export function parseByteSize(text: string): number | null {
  const match = /^([0-9]+(?:\.[0-9]+)?)([kmg]?)(?:i?b)?$/i.exec(text);
  if (match === null) return null;
  const bytes = Number(match[1]) * UNITS[match[2]!.toLowerCase()]!;
  return Number.isSafeInteger(bytes) ? bytes : null;
}
