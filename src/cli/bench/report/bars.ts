/** Horizontal bars of text, in eighths of a character cell where the terminal can show them, else in whole signs. */
export type BarStyle = "unicode" | "ascii";

const EIGHTHS = ["", "▏", "▎", "▍", "▌", "▋", "▊", "▉"];

/** A bar for `value` of `largest`, at most `width` cells; anything above zero shows at least a trace. */
export function barText(value: number, largest: number, width: number, style: BarStyle): string {
  if (value <= 0 || largest <= 0) return "";
  const cells = Math.min(1, value / largest) * width;
  if (style === "ascii") return "#".repeat(Math.max(1, Math.round(cells)));
  const eighths = Math.max(1, Math.round(cells * 8));
  return "█".repeat(Math.floor(eighths / 8)) + EIGHTHS[eighths % 8];
}
