import { expect, test } from "bun:test";
import fc from "fast-check";
import type { CommandIo } from "../output/index.ts";
import { editDistance } from "./edit-distance.ts";
import {
  boolFlag,
  type Command,
  cobraHelp,
  durationFlag,
  durationText,
  ExitError,
  FlagSet,
  findCommand,
  int64Flag,
  parseDurationMs,
  parseInt64,
  parseUint64,
  runCommand,
  stringFlag,
} from "./index.ts";

const flags = [
  boolFlag("hex", "h"),
  { ...stringFlag("write-out", "w", "simple"), shorthand: "w" },
  { ...boolFlag("interactive", "i"), shorthand: "i" },
  int64Flag("rev", "r"),
  durationFlag("wait", "t", "5s"),
  { ...stringFlag("list", "l", "a"), kind: "list" as const },
];

function parsed(...args: string[]): FlagSet {
  const set = new FlagSet(flags);
  expect(set.parse(args)).toBeNull();
  return set;
}

test("FlagSet takes flags anywhere and in all spellings", () => {
  const set = parsed("a", "--rev", "0x10", "-iw=json", "b", "--hex=T", "--", "--rev", "-x");
  expect(set.words).toEqual(["a", "b", "--rev", "-x"]);
  expect(set.wordsBeforeDash).toBe(2);
  expect([
    set.number("rev"),
    set.text("write-out"),
    set.flag("hex"),
    set.flag("interactive"),
  ]).toEqual([16, "json", true, true]);
  expect(parsed("-wtable").text("write-out")).toBe("table");
  expect(parsed("-w", "table", "-").words).toEqual(["-"]);
  expect(parsed("--list", "b,c", "--list=d").list("list")).toEqual(["b", "c", "d"]);
  expect(parsed("--list=").list("list")).toEqual([]);
  expect(parsed("--wait=1m30s").number("wait")).toBe(90_000);
  expect(parsed().number("wait")).toBe(5000);
  expect(parsed("--rev=9223372036854775807").number("rev")).toBe(Number.MAX_SAFE_INTEGER);
});

test("FlagSet never throws", () => {
  const word = fc.oneof(
    fc.constantFrom("--rev", "--hex", "-w", "-i", "--", "-", "--rev=1", "--wait=1s", "-iw"),
    fc.string({ maxLength: 8 }),
  );
  fc.assert(
    fc.property(fc.array(word, { maxLength: 8 }), (args) => {
      new FlagSet(flags).parse(args);
      findCommand(root, args);
    }),
  );
});

const nothing = async () => {};
const root: Command<null> = {
  name: "tool",
  short: "a tool",
  flags: [{ ...stringFlag("data-dir", "d"), persistent: true }],
  commands: [
    { name: "get", short: "gets", flags: [boolFlag("prefix", "p")], run: nothing },
    {
      name: "snapshot",
      short: "s",
      commands: [
        { name: "save", short: "s", run: nothing },
        { name: "status", short: "s", flags: [stringFlag("where", "w")], run: nothing },
      ],
    },
  ],
};

function found(...args: string[]): string {
  const { path, args: rest, failure } = findCommand(root, args);
  return `${path.map((command) => command.name).join(" ")}|${rest.join(" ")}|${failure ?? ""}`;
}

test("findCommand shortens words and lets flags stand before commands", () => {
  expect(found("get", "a")).toBe("tool get|a|");
  expect(found("g", "a", "get")).toBe("tool get|a get|");
  expect(found("--data-dir", "x", "snap", "sa", "f")).toBe("tool snapshot save|--data-dir x f|");
  expect(found("--where", "x", "snapshot", "status", "f")).toBe(
    "tool snapshot status|--where x f|",
  );
  expect(found("--where=x", "snapshot", "stat")).toBe("tool snapshot status|--where=x|");
  // The unknown flag takes the word behind it.
  expect(found("--where", "snapshot", "status")).toBe(
    'tool|--where snapshot status|unknown command "status" for "tool"',
  );
  expect(found("snapshot", "s")).toBe("tool snapshot|s|");
  expect(found("--", "get")).toBe("tool|-- get|");
  expect(found("gt")).toBe(
    'tool|gt|unknown command "gt" for "tool"\n\nDid you mean this?\n\tget\n',
  );
});

test("runCommand turns errors into exit codes and says them where Go programs do", async () => {
  const said = { stdout: "", stderr: "" };
  const io: CommandIo = {
    stdin: (async function* () {})(),
    stdout: { write: (data) => (said.stdout += data) },
    stderr: { write: (data) => (said.stderr += data) },
  };
  const tree: Command<null> = {
    name: "tool",
    short: "t",
    commands: [
      { name: "fail", short: "f", run: () => Promise.reject(new ExitError(7, "no luck")) },
      { name: "quiet", short: "q", run: () => Promise.reject(new ExitError(3, null)) },
    ],
  };
  const program = { root: tree, helpText: cobraHelp, usageStream: "stderr" as const };
  const run = async (...args: string[]) => {
    said.stdout = "";
    said.stderr = "";
    const code = await runCommand(program, args, null, io);
    return { code, ...said };
  };
  expect(await run("fail")).toEqual({ code: 7, stdout: "", stderr: "Error: no luck\n" });
  expect(await run("quiet")).toEqual({ code: 3, stdout: "", stderr: "" });
  const bad = await run("fail", "--bogus");
  expect(bad.code).toBe(1);
  expect(bad.stderr).toStartWith("Error: unknown flag: --bogus\nUsage:\n  tool fail [flags]\n");
  expect(bad.stderr).toEndWith("\n\nError: unknown flag: --bogus\n");
  const help = await run("--help");
  expect(help.code).toBe(0);
  expect(help.stdout).toContain("Available Commands:\n  fail        f\n  quiet       q\n");
});

test("integers as Go's strconv reads them", () => {
  expect(parseInt64("0x1f", 0)).toEqual({ value: 31n });
  expect(parseInt64("-010", 0)).toEqual({ value: -8n });
  expect(parseInt64("1_000", 0)).toEqual({ value: 1000n });
  expect(parseInt64("ff", 16)).toEqual({ value: 255n });
  expect(parseUint64("ffffffffffffffff", 16)).toEqual({ value: 2n ** 64n - 1n });
  for (const bad of ["", "+", "0x", "1__0", "09", " 1", "1e3"]) {
    expect(parseInt64(bad, 0)).toHaveProperty("failure");
  }
  expect(parseUint64("-1", 16)).toHaveProperty("failure");
});

test("durations survive printing and reading", () => {
  const rows: [number, string][] = [
    [0, "0s"],
    [0.000001, "1ns"],
    [0.883061, "883.061µs"],
    [2.804849, "2.804849ms"],
    [1001.484444, "1.001484444s"],
    [90_000, "1m30s"],
    [3_600_000, "1h0m0s"],
  ];
  for (const [milliseconds, text] of rows) {
    expect(durationText(milliseconds)).toBe(text);
    const read = parseDurationMs(text);
    expect("value" in read && Math.abs(read.value - milliseconds) < 1e-9).toBe(true);
  }
});

test("editDistance counts single changes", () => {
  expect(editDistance("compaction", "completion")).toBe(2);
  expect(editDistance("x", "txn")).toBe(2);
  expect(editDistance("", "abc")).toBe(3);
});
