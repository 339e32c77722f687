/**
 * Tables of +, - and |, as etcdctl up to 3.6 draws them: headings centred, cells to the right, cells wider
 * than 30 columns broken between words. Scripts cut these lines at "|", so box characters, which some later
 * builds draw, are not used.
 */
const WRAP_COLUMNS = 30;
const OVERLONG_PENALTY = 1e5;

export function tableText(
  headings: readonly string[],
  rows: readonly (readonly string[])[],
): string {
  const wrapped = rows.map((row) => row.map(wrapCell));
  const widths = headings.map((heading, column) =>
    Math.max(heading.length, ...wrapped.map((row) => row[column]!.width)),
  );
  const rule = `+${widths.map((width) => "-".repeat(width + 2)).join("+")}+\n`;
  let text =
    rule + line(headings.map((heading, column) => centre(heading, widths[column]!))) + rule;
  for (const row of wrapped) {
    const height = Math.max(...row.map((cell) => cell.lines.length));
    for (let i = 0; i < height; i++) {
      text += line(row.map((cell, column) => (cell.lines[i] ?? "").padStart(widths[column]!)));
    }
  }
  return text + rule;
}

function line(cells: readonly string[]): string {
  return `|${cells.map((cell) => ` ${cell} `).join("|")}|\n`;
}

function centre(text: string, width: number): string {
  const left = Math.floor((width - text.length) / 2);
  return " ".repeat(left) + text + " ".repeat(width - text.length - left);
}

function wrapCell(text: string): { lines: string[]; width: number } {
  const limit = Math.min(text.length, WRAP_COLUMNS);
  const words = text.split(/[ \n]/);
  const lines = wrapWords(words, Math.max(limit, ...words.map((word) => word.length)));
  return { lines, width: Math.max(limit, ...lines.map((each) => each.length)) };
}

/** Breaks between words so that the squares of the gaps at the ends of all lines but the last are least. */
function wrapWords(words: readonly string[], limit: number): string[] {
  const count = words.length;
  const cost: number[] = new Array(count).fill(Number.POSITIVE_INFINITY);
  const nextBreak: number[] = new Array(count).fill(count);
  const width = (from: number, to: number) => words.slice(from, to).join(" ").length;
  for (let i = count - 1; i >= 0; i--) {
    if (width(i, count) <= limit) {
      cost[i] = 0;
      continue;
    }
    for (let j = i + 1; j < count; j++) {
      const gap = limit - width(i, j);
      const total = gap * gap + cost[j]! + (gap < 0 ? OVERLONG_PENALTY : 0);
      if (total < cost[i]!) {
        cost[i] = total;
        nextBreak[i] = j;
      }
    }
  }
  const lines: string[] = [];
  for (let i = 0; i < count; i = nextBreak[i]!) lines.push(words.slice(i, nextBreak[i]).join(" "));
  return lines;
}
