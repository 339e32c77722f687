/** What `-h` and a refused command line print. */
import { FLAG_GROUPS } from "./flag-table.ts";

export const USAGE = `Usage:

  etcd [flags]
    Start an etcd server.

  etcd --version
    Show the version of etcd.

  etcd -h | --help
    Show the help information about etcd.
`;

export function flagHelp(): string {
  const lines: string[] = [];
  for (const group of FLAG_GROUPS) {
    lines.push(`${group.title}:`);
    for (const flag of group.flags) {
      if (flag.support === "later") continue;
      const fallback =
        flag.kind === "bool" && flag.fallback === "false" ? "'false'" : `'${flag.fallback}'`;
      lines.push(`  --${flag.name} ${fallback}`, `    ${flag.help}`);
    }
    lines.push("");
  }
  return lines.join("\n");
}
