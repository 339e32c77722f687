/**
 * Keys as text with one character per byte (latin1): text can key a Map and compares like the bytes do.
 * Made once per event; the native routine copies no buffer first.
 */
type Latin1Slice = (this: Uint8Array, start: number, end: number) => string;
const latin1Slice = (Buffer.prototype as unknown as { latin1Slice: Latin1Slice }).latin1Slice;

export function keyText(key: Uint8Array): string {
  return latin1Slice.call(key, 0, key.length);
}
