// The five properties of figure 3.2 of the thesis and what else must hold on every step, from what
// members hand out:
//   election safety       at most one leader per term
//   leader append-only    a leader's Ready never overwrites its own log
//   log matching          index and term name one entry with one predecessor
//   leader completeness   what was committed in earlier terms is in every later leader's log
//   state machine safety  one entry per index is ever applied
// and: commit never goes back; what is committed is durable on a majority; a read is never behind
// an acknowledged write.

import { assert } from "../../base/assert.ts";
import type { Configuration } from "../conf-change.ts";
import type { Entry } from "../entry.ts";
import { majorityOf } from "../quorum.ts";
import type { RaftReady, ReadContext, ReadState } from "../ready.ts";
import type { SimulatedMember } from "./simulated-member.ts";

interface Committed {
  readonly term: number;
  readonly data: string;
  /** The term in which it was first seen committed. */
  readonly inTerm: number;
}

interface MemberView {
  life: number;
  term: number;
  commit: number;
  leadsTerm: number;
}

const textOf = (entry: Entry): string => `${entry.kind}:${new TextDecoder().decode(entry.data)}`;

export class Invariants {
  readonly #members: ReadonlyMap<bigint, SimulatedMember>;
  readonly #leaderOfTerm = new Map<number, bigint>();
  /** (index, term) -> data and predecessor's term. */
  readonly #entries = new Map<string, { readonly data: string; readonly previousTerm: number }>();
  /** By index - 1. */
  readonly committed: Committed[] = [];
  readonly #views = new Map<bigint, MemberView>();
  readonly #readFloors = new Map<ReadContext, number>();
  readsAnswered = 0;
  elections = 0;

  constructor(members: ReadonlyMap<bigint, SimulatedMember>) {
    this.#members = members;
  }

  readAsked(context: ReadContext): void {
    this.#readFloors.set(context, this.committed.length);
  }

  ready(member: SimulatedMember, ready: RaftReady, under: readonly Configuration[]): void {
    const view = this.#viewOf(member);
    const status = member.raft.status();
    const term = ready.hardState?.term ?? view.term;
    assert(term >= view.term, `member ${member.id}: term ${view.term} fell to ${term}`);
    view.term = term;
    this.#logMatching(member, ready);
    if (ready.hardState !== null) {
      this.#commitMoved(member, view, ready, under, status.role === "leader");
    }
    if (status.role === "leader" && view.leadsTerm !== status.term) {
      view.leadsTerm = status.term;
      this.#leaderSeen(member, status.term);
    }
    for (const read of ready.reads) this.#readAnswered(member, read);
    for (const context of ready.abortedReads) this.#readFloors.delete(context);
  }

  applied(member: SimulatedMember, entry: Entry): void {
    const known = this.committed[entry.index - 1];
    assert(
      known !== undefined && known.term === entry.term && known.data === textOf(entry),
      `member ${member.id} applies ${entry.index} of term ${entry.term}, ` +
        `committed is ${known?.data} of term ${known?.term}`,
    );
  }

  #viewOf(member: SimulatedMember): MemberView {
    let view = this.#views.get(member.id);
    if (view === undefined || view.life !== member.lifeNumber) {
      const { term, commit } = member.durable.hardState;
      view = { life: member.lifeNumber, term, commit, leadsTerm: 0 };
      this.#views.set(member.id, view);
    }
    return view;
  }

  #logMatching(member: SimulatedMember, ready: RaftReady): void {
    for (const entry of ready.entries) {
      const key = `${entry.index}/${entry.term}`;
      const previousTerm = member.written.termAt(entry.index - 1);
      const data = textOf(entry);
      const known = this.#entries.get(key);
      if (known === undefined) {
        this.#entries.set(key, { data, previousTerm });
        continue;
      }
      assert(
        known.data === data && known.previousTerm === previousTerm,
        `log matching: ${key} is ${data} after ${previousTerm} on member ${member.id}, ` +
          `and ${known.data} after ${known.previousTerm} elsewhere`,
      );
    }
  }

  #leaderSeen(member: SimulatedMember, term: number): void {
    const other = this.#leaderOfTerm.get(term);
    assert(
      other === undefined || other === member.id,
      `election safety: members ${other} and ${member.id} lead term ${term}`,
    );
    this.#leaderOfTerm.set(term, member.id);
    this.elections++;
    for (let index = member.written.firstIndex(); index <= this.committed.length; index++) {
      const entry = this.committed[index - 1]!;
      if (entry.inTerm >= term) continue;
      assert(
        member.written.termAt(index) === entry.term,
        `leader completeness: leader ${member.id} of term ${term} lacks ${index} of ${entry.term}`,
      );
    }
  }

  #commitMoved(
    member: SimulatedMember,
    view: MemberView,
    ready: RaftReady,
    under: readonly Configuration[],
    isLeader: boolean,
  ): void {
    const { commit, term } = ready.hardState!;
    assert(
      commit >= view.commit,
      `member ${member.id}: commit went back from ${view.commit} to ${commit}`,
    );
    for (let index = view.commit + 1; index <= commit; index++) {
      this.#committedAt(member, index, term);
    }
    if (isLeader && commit > view.commit) this.#assertDurable(commit, under);
    view.commit = commit;
  }

  #committedAt(member: SimulatedMember, index: number, term: number): void {
    const { written } = member;
    const entryTerm = written.termAt(index);
    const known = this.committed[index - 1];
    if (index < written.firstIndex()) {
      assert(known !== undefined, `a snapshot covers ${index}, which nobody saw committed`);
      return;
    }
    const data = textOf(written.entries(index, index + 1, 1)[0]!);
    if (known === undefined) {
      assert(index === this.committed.length + 1, `commit skips to ${index}`);
      this.committed.push({ term: entryTerm, data, inTerm: term });
      return;
    }
    assert(
      known.term === entryTerm && known.data === data,
      `state machine safety: ${index} is committed as ${known.data} of term ${known.term}, ` +
        `member ${member.id} says ${data} of term ${entryTerm}`,
    );
  }

  /** Whatever crashes now, a majority has it. */
  #assertDurable(index: number, under: readonly Configuration[]): void {
    const { term } = this.committed[index - 1]!;
    const holds = (id: bigint): boolean => {
      const log = this.#members.get(id)?.durable.log;
      return log !== undefined && (log.firstIndex() > index || log.termAt(index) === term);
    };
    assert(
      under.some(({ voters }) => voters.filter(holds).length >= majorityOf(voters.length)),
      `${index} of term ${term} is committed, but durable only on ` +
        `${[...this.#members.keys()].filter(holds)} of ${under.map(({ voters }) => `{${voters}}`)}`,
    );
  }

  #readAnswered(member: SimulatedMember, read: ReadState): void {
    for (const context of read.contexts) {
      const floor = this.#readFloors.get(context);
      assert(floor !== undefined, `read ${context} is answered twice, or was never asked`);
      this.#readFloors.delete(context);
      assert(
        read.index >= floor,
        `stale read: member ${member.id} reads at ${read.index}, ` +
          `${floor} was committed when it was asked`,
      );
      this.readsAnswered++;
    }
  }
}
