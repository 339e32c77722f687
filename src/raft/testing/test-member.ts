// One member for tests: raft, a memory log, a disk that can be slow, and a list as the state
// machine.

import { assert } from "../../base/assert.ts";
import type { Configuration, MembershipChange } from "../conf-change.ts";
import { ENTRY_COMMAND, ENTRY_MEMBERSHIP, type Entry } from "../entry.ts";
import { MemoryLog } from "../log-storage.ts";
import type { Message, SnapshotMark } from "../message.ts";
import { RaftMember } from "../raft-member.ts";
import { RAFT_DEFAULTS, type RaftOptions, type RaftReady, type ReadState } from "../ready.ts";
import type { HardState } from "../types.ts";

export interface TestMemberOptions extends Partial<RaftOptions> {
  readonly id: number;
  readonly voters?: readonly number[];
  readonly learners?: readonly number[];
  /** Terms of the entries the log starts with. */
  readonly terms?: readonly number[];
  /** Ticks of patience beyond the election timeout. */
  readonly patience?: number;
}

const NO_HARD_STATE: HardState = { term: 0, vote: 0n, commit: 0 };

export class TestMember {
  readonly id: bigint;
  raft: RaftMember;
  readonly log: MemoryLog;
  readonly options: RaftOptions;
  /** What the disk holds besides the log. */
  hardState: HardState;
  applied: Entry[] = [];
  reads: ReadState[] = [];
  abortedReads: number[] = [];
  /** Readys written but not synced; the disk is instant unless `isDiskSlow`. */
  unsynced: RaftReady[] = [];
  isDiskSlow = false;
  isApplySlow = false;
  #sent: Message[] = [];

  constructor(options: TestMemberOptions) {
    const { id, voters = [1, 2, 3], learners = [], terms = [], patience = 0, ...rest } = options;
    this.id = BigInt(id);
    this.log = (rest.storage as MemoryLog | undefined) ?? new MemoryLog();
    this.log.append(entriesOf(terms));
    this.hardState = rest.hardState ?? { ...NO_HARD_STATE, term: terms.at(-1) ?? 0 };
    this.options = {
      ...RAFT_DEFAULTS,
      memberId: this.id,
      storage: this.log,
      random: (below) => (below > 1_000_000 ? 0 : Math.min(patience, below - 1)),
      configuration: { voters: voters.map(BigInt), learners: learners.map(BigInt) },
      appliedIndex: 0,
      ...rest,
      hardState: this.hardState,
    };
    this.raft = new RaftMember(this.options);
  }

  get status() {
    return this.raft.status();
  }

  /** Does what is due, as the server's loop would, and returns what was sent. */
  settle(): Message[] {
    for (;;) {
      const ready = this.raft.takeReady();
      if (ready === null) break;
      this.#write(ready);
      if (!this.isDiskSlow) this.sync();
      this.#apply(ready.committed);
    }
    const sent = this.#sent;
    this.#sent = [];
    return sent;
  }

  sync(): void {
    const last = this.unsynced.at(-1);
    this.unsynced = [];
    if (last !== undefined) this.raft.persisted(last.sequence);
  }

  /** One write of the slow disk finishes. */
  syncOne(): void {
    const first = this.unsynced.shift();
    if (first !== undefined) this.raft.persisted(first.sequence);
  }

  tick(count = 1): void {
    for (let i = 0; i < count; i++) this.raft.tick();
  }

  /** Proposes text as a command. */
  propose(text: string) {
    return this.raft.propose(ENTRY_COMMAND, new TextEncoder().encode(text));
  }

  proposeChange(kind: MembershipChange["kind"], member: number) {
    const change = { kind, member: BigInt(member) };
    return this.raft.proposeMembershipChange(change, encodeChange(change));
  }

  texts(): string[] {
    return this.applied.map((entry) => new TextDecoder().decode(entry.data));
  }

  terms(): number[] {
    const { lastIndex } = this.status;
    const terms: number[] = [];
    for (let index = this.log.firstIndex(); index <= lastIndex; index++) {
      terms.push(this.log.termAt(index));
    }
    return terms;
  }

  /** A snapshot at the applied index, and the log behind it dropped but for `keep` entries. */
  compact(keep = 0): SnapshotMark {
    const { applied, configuration } = this.status;
    const mark = { index: applied, term: this.log.termAt(applied), configuration };
    this.log.saveSnapshot(mark);
    this.log.compact(Math.max(applied - keep, 0));
    return mark;
  }

  /** A new life with what the disk holds. */
  restart(overrides: Partial<RaftOptions> = {}): void {
    const { applied, configuration } = this.status;
    this.unsynced = [];
    this.#sent = [];
    this.raft = new RaftMember({
      ...this.options,
      hardState: this.hardState,
      appliedIndex: applied,
      configuration,
      ...overrides,
    });
  }

  #write(ready: RaftReady): void {
    for (const message of ready.messages) this.#sent.push(message);
    if (ready.snapshot !== null) {
      this.log.installSnapshot(ready.snapshot);
      this.applied = [];
    }
    this.log.append(ready.entries);
    if (ready.hardState !== null) this.hardState = ready.hardState;
    for (const read of ready.reads) this.reads.push(read);
    for (const context of ready.abortedReads) this.abortedReads.push(context);
    if (ready.mustSync) this.unsynced.push(ready);
  }

  #apply(entries: readonly Entry[]): void {
    for (const entry of entries) {
      this.applied.push(entry);
      if (entry.kind === ENTRY_MEMBERSHIP) {
        this.raft.applyMembershipChange(entry.index, decodeChange(entry.data));
      }
      if (!this.isApplySlow) this.raft.applied(entry.index);
    }
  }
}

export function entriesOf(terms: readonly number[], firstIndex = 1): Entry[] {
  return terms.map((term, i) => ({
    term,
    index: firstIndex + i,
    kind: ENTRY_COMMAND,
    data: new TextEncoder().encode(`${term}.${firstIndex + i}`),
  }));
}

export function encodeChange({ kind, member }: MembershipChange): Uint8Array {
  return new TextEncoder().encode(`${kind} ${member}`);
}

export function decodeChange(data: Uint8Array): MembershipChange {
  const [kind, member] = new TextDecoder().decode(data).split(" ");
  assert(
    kind === "add-voter" || kind === "add-learner" || kind === "remove" || kind === "update",
    `a change of kind ${kind}`,
  );
  return { kind, member: BigInt(member!) };
}

export function configurationOf(voters: number[], learners: number[] = []): Configuration {
  return { voters: voters.map(BigInt), learners: learners.map(BigInt) };
}
