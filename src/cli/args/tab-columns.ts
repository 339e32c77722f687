/** Columns padded with tabs to multiples of eight, as Go's tabwriter lays out etcdctl's help. */
const TAB_WIDTH = 8;

/** Rows of equal length; the last column is not padded. */
export function tabColumns(rows: readonly (readonly string[])[]): string[] {
  const count = rows[0]?.length ?? 0;
  const widths: number[] = [];
  for (let column = 0; column < count - 1; column++) {
    const longest = Math.max(...rows.map((row) => row[column]!.length));
    widths.push((Math.floor(longest / TAB_WIDTH) + 1) * TAB_WIDTH);
  }
  return rows.map((row) =>
    row.map((cell, column) => (column < count - 1 ? pad(cell, widths[column]!) : cell)).join(""),
  );
}

function pad(cell: string, width: number): string {
  return cell + "\t".repeat(Math.ceil((width - cell.length) / TAB_WIDTH));
}
