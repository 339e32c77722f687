// Ways to break raft, each one edit, and the command that shows which tests notice: it copies the
// folder, applies one edit at a time and runs the tests there. By hand: bun
// src/raft/testing/mutants.ts [words of a name]

import { cpSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { assert } from "../../base/assert.ts";

interface Mutant {
  readonly name: string;
  readonly file: string;
  readonly from: string;
  readonly to: string;
}

const TEST_SECONDS_MAX = 120;

export const mutants: readonly Mutant[] = [
  {
    name: "a candidate counts its own vote before it is on disk",
    file: "candidate.ts",
    from: `    core.hold({ kind: "vote-response", from: id, to: id, term, granted: true, ...mark });`,
    to: "    ownVotePersisted(core, term);",
  },
  {
    name: "vote requests leave before the disk",
    file: "candidate.ts",
    from: `else core.hold({ kind: "vote"`,
    to: `else core.send({ kind: "vote"`,
  },
  {
    name: "a granted vote leaves before the disk",
    file: "raft-core.ts",
    from: `this.hold({ kind: "vote-response"`,
    to: `this.send({ kind: "vote-response"`,
  },
  {
    name: "an accepted append is answered before the disk",
    file: "follower.ts",
    from: `  core.hold({ kind: "append-accepted", ...header, index: last });`,
    to: `  core.send({ kind: "append-accepted", ...header, index: last });`,
  },
  {
    name: "a leader counts its own copy before its disk",
    file: "replication.ts",
    from: "values[i] = rowValue(leader.progress.get(voters[i]!)!);",
    to:
      "values[i] = rowValue === matchOf && voters[i] === core.id ? core.log.lastIndex " +
      ": rowValue(leader.progress.get(voters[i]!)!);",
  },
  {
    name: "a late report vouches for what was overwritten",
    file: "persist-queue.ts",
    from: "if (record.lastIndex >= index) record.lastIndex = index - 1;",
    to: "",
  },
  {
    name: "committed entries are applied before the own disk has them",
    file: "raft-log.ts",
    from: "let end = Math.min(this.#commit, this.#persisted) + 1;",
    to: "let end = this.#commit + 1;",
  },
  {
    name: "entries of older terms commit by counting (figure 3.7)",
    file: "replication.ts",
    from: " || core.log.termAt(index) !== core.term",
    to: "",
  },
  {
    name: "the previous entry's term is not compared",
    file: "follower.ts",
    from: "if (!log.matches(previousIndex, previousTerm)) {",
    to: "if (log.termAt(previousIndex) < 0) {",
  },
  {
    name: "an append always cuts what follows it",
    file: "raft-log.ts",
    from: "while (at < entries.length && this.matches(entries[at]!.index, entries[at]!.term)) at++;",
    to: "while (at < entries.length && entries[at]!.index <= this.#commit) at++;",
  },
  {
    name: "commit goes beyond what the append vouches for",
    file: "follower.ts",
    from: "log.commitTo(Math.min(message.commit, last));",
    to: "log.commitTo(Math.min(message.commit, log.lastIndex));",
  },
  {
    name: "heartbeats commit beyond the follower's match",
    file: "replication.ts",
    from: "commit: Math.min(progress.match, core.log.commit),",
    to: "commit: core.log.commit,",
  },
  {
    name: "votes go to shorter logs",
    file: "raft-log.ts",
    from: "return lastIndex >= this.#lastIndex;",
    to: "return true;",
  },
  {
    name: "a second vote in the same term",
    file: "raft-core.ts",
    from: "(this.vote === 0n && this.leader === 0n)",
    to: "this.leader === 0n",
  },
  {
    name: "no pre-vote",
    file: "follower.ts",
    from: `core.options.preVote ? "pre-election" : "election"`,
    to: `"election"`,
  },
  {
    name: "check-quorum is forgotten",
    file: "leader.ts",
    from: "options.checkQuorum && !checkQuorum(core, leader)",
    to: "!checkQuorum(core, leader) && false",
  },
  {
    name: "followers of a leader vote for anyone",
    file: "raft-core.ts",
    from: "if (!message.transfer && this.isBoundToLeader()) return false;",
    to: "",
  },
  {
    name: "a read round's id is used again",
    file: "read-index.ts",
    from: "round: ++this.#newestRound",
    to: "round: (this.#newestRound = 1)",
  },
  {
    name: "forwarded reads start from the same id in every life",
    file: "raft-core.ts",
    from: "new ForwardedReads(1 + options.random(FIRST_READ_IDS))",
    to: "new ForwardedReads(1 + 0 * options.random(FIRST_READ_IDS))",
  },
  {
    name: "a new leader reads before a commit in its term",
    file: "leader.ts",
    from: "if (!reads.hasWaiting() || core.log.commit < leader.termStartIndex) return;",
    to: "if (!reads.hasWaiting()) return;",
  },
  {
    name: "the lease runs from the answer, not from the sending",
    file: "replication.ts",
    from: "Math.max(progress.confirmedTick, message.tick)",
    to: "core.ticks",
  },
  {
    name: "the lease lasts three ticks too long",
    file: "leader.ts",
    from: "/ (1 + clockDriftMax)) - 1;",
    to: "/ (1 + clockDriftMax)) + 2;",
  },
  {
    name: "the lease survives a transfer",
    file: "replication.ts",
    from: "leader.isLeaseForfeited = true;",
    to: "",
  },
  {
    name: "a restarted member forgets the lease it granted",
    file: "raft-core.ts",
    from: `if (options.readMode === "lease" && this.term > 0) this.leaderHeardTick = this.ticks;`,
    to: "",
  },
  {
    name: "a newer term frees a follower from the lease",
    file: "raft-core.ts",
    from: `if (readMode !== "lease" || this.leaderHeardTick === 0) return false;`,
    to: "if (readMode !== undefined) return false;",
  },
  {
    name: "two membership changes at once",
    file: "leader.ts",
    from: `if (leader.pendingMembershipIndex > log.applied) return "membership-change-pending";`,
    to: "",
  },
  {
    name: "a campaign in spite of an unapplied membership change",
    file: "candidate.ts",
    from: `if (core.log.hasUnappliedMembershipChange()) return "membership-change-pending";`,
    to: "",
  },
  {
    name: "a membership change is applied before its commit is durable",
    file: "raft-log.ts",
    from: "if (this.#membershipThrough > this.#durableCommit) end",
    to: "if (this.#membershipThrough < 0) end",
  },
  {
    name: "votes do not tell the commit index",
    file: "raft-core.ts",
    from: "if (!log.matches(commit, commitTerm)) return;",
    to: "if (commitTerm > 0) return;",
  },
  {
    name: "the inflight window is never freed",
    file: "progress.ts",
    from: "this.inflights.freeThrough(index);",
    to: "void index;",
  },
];

/** Test files that fail, with the seed for the random clusters. */
function killersOf(mutant: Mutant, directory: string): string[] {
  const path = join(directory, "src/raft", mutant.file);
  const text = readFileSync(path, "utf8");
  assert(text.split(mutant.from).length === 2, `${mutant.file} has not once: ${mutant.from}`);
  writeFileSync(
    path,
    text.replace(mutant.from, () => mutant.to),
  );
  const run = Bun.spawnSync(
    ["timeout", `${TEST_SECONDS_MAX}`, process.execPath, "test", "src/raft"],
    {
      cwd: directory,
    },
  );
  writeFileSync(path, text);
  const output = run.stdout.toString() + run.stderr.toString();
  const killers = new Map<string, number>();
  let file = "";
  for (const line of output.split("\n")) {
    const heading = /^src\/raft\/(\S+)\.test\.ts:$/.exec(line);
    if (heading) file = heading[1]!;
    if (line.startsWith("(fail)")) killers.set(file, (killers.get(file) ?? 0) + 1);
    if (line.startsWith("1 tests failed") || /^\d+ tests failed/.test(line)) break;
  }
  const seed = /error: seed (\d+)/.exec(output)?.[1];
  const names = [...killers].map(([name, count]) => {
    if (name === "random-cluster") return `random-cluster (seed ${seed ?? "any"})`;
    return `${name} (${count})`;
  });
  if (run.exitCode === 124) names.push("does not come to rest");
  return names;
}

function main(words: string): void {
  const root = join(import.meta.dir, "../../..");
  const directory = mkdtempSync(join(tmpdir(), "raft-mutants-"));
  for (const name of ["src/raft", "src/base", "bunfig.toml", "test/setup.ts", "package.json"]) {
    cpSync(join(root, name), join(directory, name), { recursive: true });
  }
  symlinkSync(join(root, "node_modules"), join(directory, "node_modules"));
  let survivors = 0;
  for (const mutant of mutants.filter(({ name }) => name.includes(words))) {
    const killers = killersOf(mutant, directory);
    if (killers.length === 0) survivors++;
    console.log(`| ${mutant.name} | ${killers.join(", ") || "**none**"} |`);
  }
  rmSync(directory, { recursive: true });
  process.exitCode = survivors === 0 ? 0 : 1;
}

if (import.meta.main) main(process.argv.slice(2).join(" "));
