// Starts into a cluster that must be refused, beside the real etcd: a member that says what the test wants answers
// both.
import { afterAll, afterEach, expect, test } from "bun:test";
import { describeWithReference } from "../reference.ts";
import type { MemberKind } from "../reference-etcd.ts";
import { memberFlags, removeServerDirectories, run } from "./server-process.ts";

const OWN = "http://127.0.0.1:2";
const NOBODY = "http://127.0.0.1:1";
const CLUSTER = "c961db4cb2cf6f18";
const VERSION = '{"etcdserver":"3.5.0","etcdcluster":"3.5.0"}';
/** Of a member with OWN and the usual token. */
const OWN_ID = 4885544938433206482n;

interface Page {
  readonly members: string;
  readonly version?: string;
  readonly cluster?: string;
}

let server: ReturnType<typeof Bun.serve> | null = null;
afterEach(() => server?.stop(true));
afterAll(removeServerDirectories);

/** A member that answers so; its own URL in the text stands as HERE. */
function pretend({ members, version = VERSION, cluster = CLUSTER }: Page): string {
  let here = "";
  const made = Bun.serve({
    hostname: "127.0.0.1",
    port: 0,
    fetch: (request) => {
      const { pathname } = new URL(request.url);
      if (pathname === "/version") return new Response(version);
      if (pathname !== "/members" || members === "")
        return new Response("404 page not found\n", { status: 404 });
      const body = members.replaceAll("HERE", here);
      return new Response(body, { headers: { "X-Etcd-Cluster-Id": cluster } });
    },
  });
  here = `http://127.0.0.1:${made.port}`;
  server = made;
  return here;
}

interface Said {
  readonly code: number;
  readonly error: string;
  /** What was said of the asking, in order. */
  readonly warnings: string[];
}

const OF_ASKING = /cluster|version|remote member/;

async function refused(kind: MemberKind, args: readonly string[]): Promise<Said> {
  const { code, stderr } = await run(kind, args);
  const lines = stderr.split("\n").filter((line) => line.startsWith("{"));
  const said = lines.map((line) => JSON.parse(line) as Record<string, string>);
  const warnings = said.filter(({ level, msg }) => level === "warn" && OF_ASKING.test(msg!));
  const { msg, error } = said.findLast(({ level }) => level === "fatal") ?? {};
  const text = `${msg}: ${error}`.replace(/(?<=Members:\[)&.*(?=\] RemovedMember)/, inOrder);
  return { code, error: text, warnings: warnings.map((line) => line.msg!) };
}

/** The real one writes members in any order. */
function inOrder(members: string): string {
  return members
    .split(/ (?=&)/)
    .sort()
    .join(" ");
}

async function compare(args: readonly string[]): Promise<Said> {
  const flags = [...(await memberFlags()), ...args];
  const real = await refused("etcd", flags);
  const ours = await refused("cairn", flags);
  expect(ours).toEqual(real);
  return ours;
}

const member = (id: number | bigint, url: string, rest = ""): string =>
  `{"id":${id},"peerURLs":["${url}"]${rest}}`;
const started = (name: string): string => `,"name":"${name}","clientURLs":["http://127.0.0.1:9"]`;
const GOOD = `[${member(5, OWN)},${member(9, "HERE", started("o"))}]`;

describeWithReference("a refused start into a cluster, beside the real etcd", () => {
  test.each([
    [["--initial-cluster-state=existing"]],
    [["--initial-cluster-state=existing", `--initial-cluster=m=${OWN},o=${NOBODY}`]],
    [["--initial-cluster-state=existing", `--initial-cluster=x=${OWN},o=${NOBODY}`]],
    [["--initial-cluster-state=existing", `--initial-cluster=m=${OWN},o=${OWN}`]],
    [[`--initial-cluster=m=${OWN},m=${OWN}`]],
    [[`--initial-cluster=m=${OWN},m=http://127.0.0.1:3`]],
    [[`--initial-advertise-peer-urls=${OWN},http://127.0.0.1:3`]],
  ])("%j", async (args) => {
    expect((await compare(args)).code).toBe(1);
  });

  test.each([
    ["another number of members", `[${member(9, "HERE", started("o"))}]`, "unequal"],
    ["nobody of this URL", `[${member(5, NOBODY)},${member(9, "HERE")}]`, "no match found"],
    [
      "another number of URLs",
      `[{"id":5,"peerURLs":["${OWN}","${NOBODY}"]},${member(9, "HERE", started("o"))}]`,
      "len(",
    ],
    ["a learner and a removed name", `[${member(5, NOBODY, ',"isLearner":true')}]`, "unequal"],
    ["no list", "{", "cannot fetch"],
    ["no page", "", "cannot fetch"],
    ["nobody", "[]", "cannot fetch"],
  ])("a cluster that has %s", async (_what, members, why) => {
    const here = pretend({ members });
    const joining = [`--initial-cluster=m=${OWN},o=${here}`, "--initial-cluster-state=existing"];
    expect((await compare(joining)).error).toContain(why);
  });

  test.each([["4.0.0"], ["2.9.9"], ["not_decided"], [""]])(
    "a cluster of version %j",
    async (version) => {
      const text = version === "" ? "{}" : VERSION.replaceAll("3.5.0", version);
      const here = pretend({ members: GOOD, version: text });
      const joining = [`--initial-cluster=m=${OWN},o=${here}`, "--initial-cluster-state=existing"];
      expect((await compare(joining)).error).toContain("incompatible with current running");
    },
  );

  test("a cluster whose id is none", async () => {
    const here = pretend({ members: GOOD, cluster: "xyz" });
    const joining = [`--initial-cluster=m=${OWN},o=${here}`, "--initial-cluster-state=existing"];
    expect((await compare(joining)).error).toContain("cannot fetch");
  });

  test("a new cluster that knows the member as started", async () => {
    const here = pretend({ members: `[${member(OWN_ID, OWN, started("m"))}]` });
    const { error } = await compare([`--initial-cluster=m=${OWN},o=${here}`]);
    expect(error).toContain("has already been bootstrapped");
  });
});
