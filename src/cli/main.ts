/**
 * The one executable. Started as etcd, etcdctl or etcdutl (a link) it is that program; as cairn its first word says
 * which: server, ctl, util, bench, version. Parts are loaded only when they are asked for: a start must be short.
 */
import { basename } from "node:path";

const HELP = `cairn is a distributed key-value store that speaks etcd's v3 API.

Usage:
  cairn server [flags]   run a member (also: the name etcd)
  cairn ctl <command>    talk to a member (also: the name etcdctl)
  cairn util <command>   work on files of a member (also: the name etcdutl)
  cairn bench <workload> measure a server, or the disk below a directory
  cairn version          print the version

"cairn server -h" and "cairn ctl -h" tell more.
`;

const PROGRAMS: Readonly<Record<string, string>> = {
  etcd: "server",
  etcdctl: "ctl",
  etcdutl: "util",
};

async function main(): Promise<number> {
  const called = basename(process.argv0).replace(/\.exe$/, "");
  const args = process.argv.slice(2);
  const program = PROGRAMS[called] ?? args.shift() ?? "help";
  switch (program) {
    case "server":
      return (await import("./server/serve.ts")).runServer(args);
    case "ctl":
      return (await import("./run-control.ts")).runControlProgram(args);
    case "util":
      return (await import("./run-utility.ts")).runUtilityProgram(args);
    case "bench":
      return (await import("./bench/index.ts")).runBench(args);
    case "version":
    case "--version":
      return (await import("./server/version-text.ts")).printVersion();
    case "help":
    case "-h":
    case "--help":
      process.stdout.write(HELP);
      return 0;
    default:
      process.stderr.write(`cairn: unknown command "${program}"\n\n${HELP}`);
      return 1;
  }
}

const status = await main();
if (status >= 0) process.exit(status);
