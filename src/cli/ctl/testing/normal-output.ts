/** Makes outputs of two programs on two servers comparable: versions, times, ports, lease ids and log details go. */

const BOX: Readonly<Record<string, string>> = {
  "─": "-",
  "│": "|",
};

export function normalOutput(text: string): string {
  const normal = normalLines(text);
  // The width of that table depends on how long each member took.
  return normal.includes("| HEALTH |") ? normal.replace(/-+/g, "-").replace(/ +/g, " ") : normal;
}

function normalLines(text: string): string {
  return text
    .split("\n")
    .map(normalLine)
    .join("\n")
    .replace(/[┌┬┐├┼┤└┴┘]/g, "+")
    .replace(/[─│]/g, (letter) => BOX[letter]!);
}

function normalLine(line: string): string {
  if (line.startsWith('{"level":')) return normalLogLine(line);
  return (
    line
      .replace(/\b3\.(?:5\.30|7\.1)\b/g, "VERSION")
      .replace(/ +VERSION /g, " VERSION ")
      .replace(/API version: 3\.[57]/, "API version: X.Y")
      .replace(/(127\.0\.0\.1|localhost):[0-9]{4,5}/g, "$1:PORT")
      // Lease ids: 16 digits of hexadecimal, or about 19 decimal ones. Cluster and member ids are the same anyway.
      .replace(/\b[0-9a-f]{16}\b/g, "LEASE-OR-MEMBER")
      .replace(/\b[0-9]{17,20}\b/g, "ID")
      .replace(/\b[0-9]+(?:\.[0-9]+)?(?:µs|ms|s)\b/g, "TIME")
      .replace(/ +TIME +/g, " TIME ")
      .replace(/\b[0-9.]+ (?:B|kB|MB)\b/g, "SIZE")
      // A field that servers have since 3.6 and the real etcdctl 3.5 does not know.
      .replace(/,"hash_revision":[0-9]+/, "")
      .replace(/"(dbSize|dbSizeInUse)":[0-9]+/g, '"$1":SIZE')
      .replace(/"DBSize" : [0-9]+/, '"DBSize" : SIZE')
  );
}

interface LogRecord {
  level: string;
  msg: string;
  attempt?: number;
  error?: string;
  path?: string;
  "environment-variable"?: string;
}

/** What scripts may look at in a line of the log. */
function normalLogLine(line: string): string {
  const record = JSON.parse(line) as LogRecord;
  const { level, msg, attempt, error, path } = record;
  const shown = { level, msg, attempt, error, path, variable: record["environment-variable"] };
  return JSON.stringify(shown).replace(/127\.0\.0\.1:[0-9]{4,5}/g, "127.0.0.1:PORT");
}
