// The etcdctl commands whose output is compared, in the order they run: one list for every server and
// every etcdctl. Later commands see what earlier ones wrote.

import type { ControlCommand } from "./control-run.ts";

type Args = readonly string[];

const formats = ["simple", "json", "fields", "table"] as const;

function each(...lists: Args[]): ControlCommand[] {
  return lists.map((args) => ({ args }));
}

/** The same command in every format of output. */
function inAllFormats(args: Args, more: Partial<ControlCommand> = {}): ControlCommand[] {
  return formats.map((format) => ({ ...more, args: [...args, "-w", format] }));
}

const putAndGet: ControlCommand[] = [
  ...each(
    ["put", "foo", "bar"],
    ["put", "foo1", "bar1"],
    ["put", "foo2", "bar2", "--prev-kv"],
    ["put", "foo2", "bar3", "--prev-kv"],
    ["put", "--", "-dash", "-v"],
    ["put", "foo", "--ignore-value"],
    ["put", "none", "--ignore-value"],
    ["put", "foo", "x", "--lease=1234"],
    ["put", "foo", "x", "--lease=zz"],
    ["put"],
    ["put", "foo"],
  ),
  { args: ["put", "from-stdin"], stdin: "line one\nline two" },
  ...inAllFormats(["put", "foo", "bar", "--prev-kv"]),
  ...inAllFormats(["get", "foo"]),
  ...inAllFormats(["get", "--prefix", "foo"]),
  ...inAllFormats(["get", "missing"]),
  ...each(
    ["get", "foo", "--print-value-only"],
    ["get", "foo", "--keys-only", "--prefix"],
    ["get", "foo", "--count-only", "--prefix", "-w", "fields"],
    ["get", "foo", "--count-only", "--prefix", "-w", "json"],
    ["get", "foo", "foo2"],
    ["get", "foo1", "--from-key"],
    ["get", "", "--prefix", "--keys-only"],
    ["get", "foo", "--prefix", "--limit=2"],
    ["get", "foo", "--prefix", "--order=DESCEND"],
    ["get", "foo", "--prefix", "--sort-by=MODIFY", "--order=ASCEND"],
    ["get", "foo", "--prefix", "--sort-by=nope"],
    ["get", "foo", "--rev=2"],
    ["get", "foo", "--rev=2000"],
    ["get", "foo", "--consistency=s"],
    ["get", "foo", "--consistency=x"],
    ["get", "foo", "--hex"],
    ["get", "foo", "--prefix", "--from-key"],
    ["get"],
    ["get", "a", "b", "c"],
    ["del", "foo1"],
    ["del", "foo1"],
    ["del", "foo2", "--prev-kv"],
    ["del", "--prefix", "", "--from-key", "1000"],
    ["del"],
  ),
  ...inAllFormats(["del", "nothing"]),
  ...inAllFormats(["del", "foo", "--prev-kv"]),
];

const txn: ControlCommand[] = [
  { args: ["txn"], stdin: 'ver("t") = "0"\n\nput t 1\nput u 2\n\nget t\n\n' },
  { args: ["txn"], stdin: 'val("t") = "nope"\n\nput t 1\n\nget t\ndel u\n\n' },
  { args: ["txn"], stdin: 'mod("t") > "0"\ncreate("t") > "1"\n\nget t --print-value-only\n\n\n' },
  { args: ["txn"], stdin: "\n\nget t\n\n" },
  { args: ["txn"], stdin: 'bad("t") = "0"\n\n\n\n' },
  { args: ["txn"], stdin: 'ver("t") = "0"\n' },
  { args: ["txn", "-i"], stdin: 'ver("t") > "0"\n\nget t\nput "quoted key" \'single\'\n\n\n' },
  ...formats.map((format) => ({
    args: ["txn", "-w", format],
    stdin: 'ver("t") > "0"\n\nget t\nput t again --prev-kv\ndel u --prev-kv\n\nget u\n\n',
  })),
];

const leases: ControlCommand[] = [
  {
    args: ["lease", "grant", "600"],
    capture: { name: "lease1", from: /lease (\w+) granted/ },
  },
  ...each(
    ["put", "leased", "1", "--lease=$lease1"],
    ["lease", "list"],
    ["lease", "revoke", "7777"],
    ["lease", "timetolive", "7777"],
    ["lease", "grant", "x"],
    ["lease", "grant"],
    ["lease", "keep-alive", "--once", "$lease1"],
    ["lease", "keep-alive", "--once", "7777"],
    ["get", "leased", "-w", "json"],
  ),
  ...inAllFormats(["lease", "timetolive", "$lease1", "--keys"], {
    mask: [[/\b(?:59\d|600)\b/g, "<seconds>"]],
  }),
  ...inAllFormats(["lease", "list"]),
  { args: ["lease", "revoke", "$lease1"] },
  { args: ["get", "leased"] },
  { args: ["lease", "timetolive", "$lease1"] },
  {
    args: ["lease", "grant", "100", "-w", "json"],
    capture: { name: "lease2", from: /"ID":(\d+)/ },
  },
];

const watching: ControlCommand[] = [
  ...each(["put", "w1", "1"], ["put", "w1", "2"], ["del", "w1"], ["put", "w2", "3"]),
  { args: ["watch", "w1", "--rev=1"], untilLines: 9 },
  { args: ["watch", "w", "--prefix", "--rev=1", "--prev-kv"], untilLines: 16 },
  { args: ["watch", "w1", "--rev=1", "-w", "json"], untilLines: 1 },
  { args: ["watch", "w2", "--rev=1", "-w", "fields"], untilLines: 11 },
  { args: ["watch", "w1", "w3", "--rev=1"], untilLines: 12 },
  { args: ["watch", "w1", "--rev=1", "--", "echo", "event"], untilLines: 12 },
  { args: ["watch", "-i"], stdin: "nonsense\n" },
  ...each(["watch"], ["watch", "a", "--prefix", "--from-key"]),
];

const maintenanceMask: ControlCommand["mask"] = [
  [/\b\d+(?:\.\d+)? [kMG]?B\b/g, "<size>"],
  [/3\.\d+\.\d+/g, "<version>"],
  [/("(?:dbSize|dbSizeInUse|raftIndex|raftAppliedIndex|raftTerm)":)\d+/g, "$1<n>"],
  [/("(?:DBSize|DBSizeInUse|RaftIndex|RaftTerm|RaftAppliedIndex)" : )\d+/g, "$1<n>"],
  [/, \d+, \d+, \d+, \n/g, ", <term>, <index>, <index>, \n"],
  [/ \d+ \| +\d+ \| +\d+ \| +\|/g, " <term> | <index> | <index> | |"],
  [/ \d+ │ +\d+ │ +\d+ │ +│/g, " <term> │ <index> │ <index> │ │"],
];

const maintenance: ControlCommand[] = [
  ...inAllFormats(["endpoint", "status"], { mask: maintenanceMask }),
  ...inAllFormats(["endpoint", "health"]),
  ...inAllFormats(["endpoint", "hashkv"], {
    mask: [[/(?<=, |\| +|│ +|: )\d{6,10}\b|(?<="hash":)\d+/g, "<hash>"]],
  }),
  ...inAllFormats(["member", "list"]),
  ...inAllFormats(["member", "list", "--hex"]),
  ...inAllFormats(["alarm", "list"]),
  ...inAllFormats(["compaction", "5"]).slice(0, 1),
  ...each(
    ["compaction", "5"],
    ["compaction", "100000"],
    ["compaction", "x"],
    ["compaction"],
    ["compaction", "6", "--physical"],
    ["get", "foo", "--rev=3"],
    ["alarm", "disarm"],
    ["defrag"],
    ["endpoint", "health", "--cluster"],
    ["nosuch"],
    ["endpoint", "nosuch"],
    ["get", "--nosuch-flag"],
    ["move-leader", "12345"],
  ),
];

/** Ours has the version of the API it speaks. */
const version: ControlCommand = {
  args: ["version"],
  mask: [[/\b3\.\d+(?:\.\d+)?\b/g, "<version>"]],
};

export const controlCommands: readonly ControlCommand[] = [
  ...putAndGet,
  ...txn,
  ...leases,
  ...watching,
  ...maintenance,
  version,
];
