/** Sizes as etcd shows them: SI units of 1000, one decimal below ten: 25 kB, 2.1 MB. */
const UNITS = ["B", "kB", "MB", "GB", "TB", "PB", "EB"];

export function byteSizeText(bytes: number): string {
  if (bytes < 10) return `${bytes} B`;
  let unit = 0;
  while (unit < UNITS.length - 1 && bytes >= 1000 ** (unit + 1)) unit++;
  const value = Math.floor((bytes / 1000 ** unit) * 10 + 0.5) / 10;
  return `${value < 10 ? value.toFixed(1) : value.toFixed(0)} ${UNITS[unit]}`;
}
