// Runs a scenario file: prose (lines with #), commands (lines with >), and under each command what
// the cluster did. The runner gives back the whole file as it should be; equal to what is there, or
// the test fails.
//
//   > members 1 2 3 learners 4 key=value    the cluster; keys are RaftOptions, or patience (ticks, per member id)
//   > join 4 voters 1 2 3                   a new member that knows the configuration of the start
//   > tick 1 10 | campaign 1 | propose 1 text | change 1 add-learner 4 | transfer 1 2 | read 1 7 | forget 1
//   > settle | turn                         deliver until nothing moves | one turn of everybody, one delivery
//   > isolate 3 | lose append 1 2 | heal    messages that are lost from here on
//   > slow-disk 1 | sync 1 | restart 1 | compact 1 keep 2 | unreachable 1 2 | snapshot-failed 1 2
//   > progress 1 | log 1 2 3

import { assert } from "../../base/assert.ts";
import type { Entry } from "../entry.ts";
import type { Message } from "../message.ts";
import type { RaftMemberStatus, RaftOptions } from "../ready.ts";
import { TestMember, type TestMemberOptions } from "./test-member.ts";

const ROUNDS_MAX = 100;

/** The file with every expectation replaced by what happens. */
export function replay(text: string): string {
  const scenario = new Scenario();
  const lines: string[] = [];
  for (const line of text.split("\n")) {
    if (line.startsWith("  ")) continue;
    lines.push(line);
    if (line.startsWith("> ")) {
      for (const event of scenario.run(line.slice(2))) lines.push(`  ${event}`);
    }
  }
  return lines.join("\n");
}

/** What the trace has told about a member. */
interface Seen {
  readonly status: RaftMemberStatus;
  applied: number;
  readonly reads: number;
  readonly abortedReads: number;
}

class Scenario {
  readonly #members = new Map<bigint, TestMember>();
  #loses: (message: Message) => boolean = () => false;
  #events: string[] = [];
  #seen = new Map<bigint, Seen>();
  #queue: Message[] = [];

  run(line: string): string[] {
    const [command, ...words] = line.split(" ");
    this.#events = [];
    const answer = this.#do(command!, words);
    if (typeof answer === "string" && answer !== "forwarded") this.#events.push(answer);
    return this.#events;
  }

  #do(command: string, words: string[]): unknown {
    const member = (): TestMember => this.#at(words[0]!);
    switch (command) {
      case "members":
        return this.#create(words);
      case "join":
        return this.#add({ id: Number(words[0]), voters: words.slice(2).map(Number) });
      case "settle":
        return this.#settle(ROUNDS_MAX);
      case "turn":
        return this.#settle(1);
      case "tick":
        return member().tick(Number(words[1] ?? 1));
      case "campaign":
        return member().raft.campaign();
      case "propose":
        return member().propose(words.slice(1).join(" "));
      case "change":
        return member().proposeChange(words[1] as "remove", Number(words[2]));
      case "transfer":
        return member().raft.transferLeadership(BigInt(words[1]!));
      case "read":
        return member().raft.readIndex(Number(words[1]));
      case "forget":
        return member().raft.forgetLeader();
      default:
        return this.#disturb(command, words, member);
    }
  }

  #disturb(command: string, words: string[], member: () => TestMember): unknown {
    switch (command) {
      case "isolate": {
        const cut = new Set(words.map(BigInt));
        this.#loses = ({ from, to }) => cut.has(from) || cut.has(to);
        return;
      }
      case "lose":
        this.#loses = ({ kind, from, to }) =>
          kind === words[0] && `${from}` === words[1] && `${to}` === words[2];
        return;
      case "heal":
        this.#loses = () => false;
        return;
      case "slow-disk":
        member().isDiskSlow = true;
        return;
      case "sync":
        return member().sync();
      case "restart":
        return member().restart();
      case "compact":
        member().compact(Number(words[2] ?? 0));
        return;
      case "unreachable":
        return member().raft.reportUnreachable(BigInt(words[1]!));
      case "snapshot-failed":
        return member().raft.reportSnapshot(BigInt(words[1]!), false);
      case "progress":
        return this.#showProgress(member());
      case "log":
        for (const id of words) this.#events.push(`${id}: ${this.#at(id).terms().join(" ")}`);
        return;
      default:
        assert(false, `a scenario says ${command}`);
    }
  }

  #create(words: string[]): void {
    const settings = words.filter((word) => word.includes("="));
    const ids = words.filter((word) => !word.includes("="));
    const at = ids.indexOf("learners");
    const voters = (at < 0 ? ids : ids.slice(0, at)).map(Number);
    const learners = at < 0 ? [] : ids.slice(at + 1).map(Number);
    const options: Record<string, unknown> = {};
    const terms = new Map<number, number[]>();
    for (const setting of settings) {
      const [key, value] = setting.split("=");
      if (/^\d+$/.test(key!)) terms.set(Number(key), value!.split(",").map(Number));
      else options[key!] = JSON.parse(value!);
    }
    for (const id of [...voters, ...learners]) {
      const patience = (id - 1) * 3;
      const own = terms.get(id) ?? [];
      const hardState = { term: Math.max(0, ...[...terms.values()].flat()), vote: 0n, commit: 0 };
      this.#add({
        patience,
        ...(options as Partial<RaftOptions>),
        id,
        voters,
        learners,
        terms: own,
        hardState,
      });
    }
  }

  #add(options: TestMemberOptions): void {
    const member = new TestMember(options);
    this.#members.set(member.id, member);
    this.#seen.set(member.id, { status: member.status, applied: 0, reads: 0, abortedReads: 0 });
  }

  #at(id: string): TestMember {
    const member = this.#members.get(BigInt(id));
    assert(member !== undefined, `a scenario names member ${id}`);
    return member;
  }

  #settle(rounds: number): void {
    for (let round = 0; round < rounds; round++) {
      for (const member of this.#members.values()) {
        const messages = member.settle();
        this.#observe(member);
        this.#queue.push(...messages);
      }
      if (this.#queue.length === 0) return;
      const queue = this.#queue;
      this.#queue = [];
      for (const message of queue) this.#deliver(message);
    }
    assert(rounds < ROUNDS_MAX, "the scenario does not come to rest");
  }

  #deliver(message: Message): void {
    const target = this.#members.get(message.to);
    const isLost = target === undefined || this.#loses(message);
    this.#events.push(`${showMessage(message)}${isLost ? "  (lost)" : ""}`);
    if (!isLost) target.raft.step(message);
  }

  #observe(member: TestMember): void {
    const seen = this.#seen.get(member.id)!;
    const { status } = member;
    const { role, term, leader } = status;
    if (role !== seen.status.role || term !== seen.status.term || leader !== seen.status.leader) {
      const of = role === "follower" ? (leader === 0n ? " of nobody" : ` of ${leader}`) : "";
      this.#events.push(`${member.id} is ${role}${of} in term ${term}`);
    }
    if (status.applied > seen.status.applied && member.applied.length < seen.applied) {
      seen.applied = 0;
    }
    if (member.applied.length === 0 && status.applied > seen.status.applied) {
      this.#events.push(`${member.id} installs the state at ${status.applied}`);
    }
    const fresh = member.applied.slice(seen.applied);
    if (fresh.length > 4) {
      const [first, last] = [fresh[0]!, fresh.at(-1)!];
      this.#events.push(`${member.id} applies ${showPlace(first)} to ${showPlace(last)}`);
    } else {
      for (const entry of fresh) this.#events.push(`${member.id} applies ${showEntry(entry)}`);
    }
    for (const { index, contexts } of member.reads.slice(seen.reads)) {
      this.#events.push(`${member.id} may answer read ${contexts.join(", ")} at ${index}`);
    }
    const abortedReads = member.abortedReads.length;
    for (const context of member.abortedReads.slice(seen.abortedReads)) {
      this.#events.push(`${member.id} gives back read ${context}`);
    }
    const applied = member.applied.length;
    const reads = member.reads.length;
    this.#seen.set(member.id, { status, applied, reads, abortedReads });
  }

  #showProgress({ status }: TestMember): void {
    for (const { member, state, match, next, isPaused, isLearner } of status.progress) {
      if (member === status.memberId) continue;
      const marks = `${isPaused ? ", paused" : ""}${isLearner ? ", learner" : ""}`;
      this.#events.push(`${member}: ${state}, match ${match}, next ${next}${marks}`);
    }
  }
}

const showPlace = ({ index, term }: Entry): string => `${index}/${term}`;

function showEntry(entry: Entry): string {
  const text = new TextDecoder().decode(entry.data);
  return `${showPlace(entry)}${text === "" ? "" : ` "${text}"`}`;
}

function showEntries(entries: readonly Entry[]): string {
  if (entries.length <= 3) return entries.map(showEntry).join(", ");
  return `${showPlace(entries[0]!)} to ${showPlace(entries.at(-1)!)}`;
}

function showMessage(message: Message): string {
  const { from, to, kind, term } = message;
  const head = `${from} -> ${to}  ${kind}${term > 0 ? ` (term ${term})` : ""}`;
  switch (message.kind) {
    case "pre-vote":
    case "vote":
      return `${head} log ends ${message.lastIndex}/${message.lastTerm}`;
    case "pre-vote-response":
    case "vote-response":
      return `${head} ${message.granted ? "granted" : "refused"}`;
    case "append": {
      const { previousIndex, previousTerm, commit, entries } = message;
      const what = entries.length === 0 ? "nothing" : showEntries(entries);
      return `${head} after ${previousIndex}/${previousTerm}: ${what}; commit ${commit}`;
    }
    case "append-accepted":
      return `${head} up to ${message.index}`;
    case "append-rejected": {
      const { index, hintIndex, hintTerm } = message;
      return `${head} nothing fits ${index}; try ${hintIndex}/${hintTerm}`;
    }
    case "heartbeat":
      return `${head} commit ${message.commit}, round ${message.readRound}`;
    case "heartbeat-response":
      return `${head} round ${message.readRound}`;
    case "snapshot":
      return `${head} at ${message.snapshot.index}/${message.snapshot.term}`;
    case "propose":
      return `${head} ${message.proposals.length}`;
    case "read-index":
      return `${head} question ${message.id}`;
    case "read-index-response":
      return `${head} question ${message.id}: ${message.index}`;
    case "transfer-leadership":
      return `${head} to ${message.target}`;
    case "term-notice":
    case "timeout-now":
      return head;
  }
}
