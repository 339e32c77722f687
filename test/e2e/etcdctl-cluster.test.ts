// etcdctl's commands for clusters of several members: the real one drives three cairn members, and ours drives three
// real etcds; both print and end as the real one with real etcds does, but for ids, ports, times and the order in which
// members come (they are sorted by id).

import { afterAll, expect, test } from "bun:test";
import { cairnCommand, cairnExists } from "../cairn-command.ts";
import { ClusterProcesses } from "../cluster/cluster-processes.ts";
import { describeWithReference, referenceProgram } from "../reference.ts";
import { type MemberKind, serverCommand } from "../reference-etcd.ts";
import { runProgram } from "./run-program.ts";

type Program = "reference" | "cairn";

interface Command {
  readonly args: string;
  /** Ask this member alone; all of them by default. */
  readonly at?: string;
  /** What the output names for later commands. */
  readonly capture?: RegExp;
}

const COMMANDS: readonly Command[] = [
  { args: "member list" },
  { args: "member list -w table" },
  { args: "member list -w json", at: "first" },
  { args: "endpoint status --cluster", at: "first" },
  { args: "endpoint status --cluster -w table", at: "second" },
  { args: "endpoint health --cluster", at: "first" },
  { args: "endpoint hashkv --cluster", at: "leader" },
  {
    args: "member add new --peer-urls=http://127.0.0.1:1",
    at: "leader",
    capture: /^Member +(\w+)/,
  },
  { args: "member list", at: "first" },
  { args: "member add same --peer-urls=http://127.0.0.1:1,http://127.0.0.1:2", at: "leader" },
  { args: "member promote $new", at: "first" },
  { args: "member remove $new -w json", at: "second" },
  { args: "member remove $new", at: "second" },
  { args: "member promote $new" },
  {
    args: "member add learner --learner --peer-urls=http://127.0.0.1:3",
    capture: /^Member +(\w+)/,
  },
  { args: "member add more --learner --peer-urls=http://127.0.0.1:4" },
  { args: "member list -w table" },
  { args: "member promote $learner", at: "first" },
  { args: "move-leader $learner", at: "leader" },
  { args: "member update $learner --peer-urls=http://127.0.0.1:5", at: "first" },
  { args: "member remove $learner", at: "leader" },
  { args: "member promote 77" },
  { args: "member add bad --peer-urls=http://a:1,bad" },
  { args: "move-leader 77" },
  { args: "move-leader $first", at: "second" },
  { args: "move-leader $first" },
  { args: "endpoint status --cluster", at: "leader" },
  { args: "move-leader $leader" },
];

const runMilliseconds = 15_000;
/** Strict checks want connections that are five seconds old. */
const settleMilliseconds = 5200;

interface Printed {
  readonly args: string;
  readonly exitCode: number | null;
  readonly out: readonly string[];
  readonly errors: readonly string[];
}

class Driver {
  readonly #cluster: ClusterProcesses;
  readonly #roles = new Map<string, { endpoint: string; id: bigint }>();
  /** What is printed, by what it is shown as. */
  readonly #names = new Map<string, string>();

  constructor(cluster: ClusterProcesses) {
    this.#cluster = cluster;
  }

  async learnRoles(): Promise<void> {
    const leader = await this.#cluster.waitForLeader();
    const [first, second] = this.#cluster.othersOf(leader);
    for (const [role, member] of Object.entries({ leader, first: first!, second: second! })) {
      const id = BigInt((await member.status())!.memberId);
      this.#roles.set(role, { endpoint: member.endpoint, id });
      this.#names.set(member.endpoint, `<${role}>`);
      this.#names.set(member.advertisedPeerUrl, `<${role}'s peers>`);
      this.#names.set(member.name, `<${role}'s name>`);
      this.#nameId(role, id);
    }
    const health = await fetch(`http://${leader.endpoint}/v3/maintenance/status`, {
      method: "POST",
      body: "{}",
    });
    const { header } = (await health.json()) as { header: { cluster_id: string } };
    this.#nameId("cluster", BigInt(header.cluster_id));
  }

  async runAll(program: Program): Promise<Printed[]> {
    const printed: Printed[] = [];
    for (const command of COMMANDS) printed.push(await this.#run(program, command));
    return printed;
  }

  async #run(program: Program, { args, at, capture }: Command): Promise<Printed> {
    const ends = at === undefined ? ["leader", "first", "second"] : [at];
    const endpoints = ends.map((role) => this.#roles.get(role)!.endpoint).join();
    const idOf = (role: string) => this.#roles.get(role)?.id.toString(16) ?? `${role} is missing`;
    const filled = args.replace(/\$(\w+)/, (_all, role) => idOf(role));
    const words = program === "cairn" ? cairnCommand("ctl") : [referenceProgram("etcdctl")];
    const cmd = [...words, `--endpoints=${endpoints}`, ...filled.split(" ")];
    const { code, stdout, stderr } = await runProgram({ cmd, limitMs: runMilliseconds });
    const captured = capture?.exec(stdout)?.[1];
    if (captured !== undefined) {
      const role = /add (\w+)/.exec(args)![1]!;
      this.#roles.set(role, { endpoint: "", id: BigInt(`0x${captured}`) });
      this.#nameId(role, BigInt(`0x${captured}`));
    }
    const lines = (text: string) => linesOf(this.#named(text));
    return { args, exitCode: code, out: lines(stdout), errors: lines(stderr) };
  }

  #nameId(role: string, id: bigint): void {
    this.#names.set(String(id), `<id of ${role}>`);
    this.#names.set(id.toString(16), `<id of ${role}>`);
  }

  #named(text: string): string {
    let result = text;
    for (const [value, name] of this.#names) {
      // Short names such as m1 only where they stand alone.
      const found = /^m\d$/.test(value) ? new RegExp(`\\b${value}\\b`, "g") : value;
      result = result.replaceAll(found, name);
    }
    return result;
  }
}

const MASKS: readonly (readonly [RegExp, string])[] = [
  [/^\{"level":.*\n/gm, ""],
  [/[┌┬┐├┼┤└┴┘─+-]+/g, "-"],
  [/│/g, "|"],
  [/took = [\d.]+(?:µs|ms|s)/g, "took = <time>"],
  [/"raft_term":\d+/g, '"raft_term":<term>'],
  // Version, size, term and indexes of a status.
  [/\b3\.\d\.\d+\b/g, "<version>"],
  [/\b\d+ kB\b/g, "<size>"],
  [
    /((?:true|false)[,| ]+(?:true|false)[,| ]+)\d+([,| ]+)\d+([,| ]+)\d+/g,
    "$1<term>$2<index>$3<index>",
  ],
  [/^(<\w+>|http:\/\/<\w+>), \d+$/gm, "$1, <hash>"],
  [/ +/g, " "],
];

/** Members come in the order of their ids: JSON by its parts, the rest by its lines. */
function linesOf(text: string): string[] {
  let masked = text;
  for (const [from, to] of MASKS) masked = masked.replaceAll(from, to);
  return masked.split(/^ETCD|^[[{]/m.test(masked) ? /[{}[\],"\n]+/ : "\n").sort();
}

describeWithReference("etcdctl with clusters", () => {
  const clusters: ClusterProcesses[] = [];

  afterAll(async () => {
    await Promise.all(clusters.map((cluster) => cluster.remove()));
  });

  async function printedBy(kind: MemberKind, programs: readonly Program[]): Promise<Printed[][]> {
    const options = { proxied: false, heartbeatMs: 100, electionMs: 1000 };
    const command = serverCommand(kind);
    const cluster = await ClusterProcesses.start({ ...options, command, size: 3 });
    clusters.push(cluster);
    await Bun.sleep(settleMilliseconds);
    const printed: Printed[][] = [];
    for (const program of programs) {
      const driver = new Driver(cluster);
      await driver.learnRoles();
      printed.push(await driver.runAll(program));
    }
    return printed;
  }

  test.skipIf(!cairnExists())(
    "the real one drives cairn, and ours drives the real etcd",
    async () => {
      const [etcd, cairn] = await Promise.all([
        printedBy("etcd", ["reference", "cairn"]),
        printedBy("cairn", ["reference"]),
      ]);
      const [expected, ours] = etcd;
      expect(cairn[0]).toEqual(expected!);
      expect(ours).toEqual(expected!);
    },
    120_000,
  );
});
