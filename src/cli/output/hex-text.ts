/** Bytes as \x66\x6f\x6f, what --hex prints. */
export function hexText(bytes: Uint8Array): string {
  let text = "";
  for (const byte of bytes) text += `\\x${byte.toString(16).padStart(2, "0")}`;
  return text;
}
