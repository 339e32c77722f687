/**
 * Looks at a member from the inside while it runs: what it applies, what it tells its watchers, which leases it
 * takes away, in which term it leads. Compared between all members and all lives at once.
 */
import type { Message } from "../../src/raft/index.ts";
import type { Member } from "../../src/server/index.ts";
import { LeadersByTerm } from "./checkers/one-leader-per-term.ts";
import { SameState } from "./checkers/same-state.ts";
import type { LeaseOracle } from "./lease-oracle.ts";
import type { Recorder } from "./recorder.ts";
import type { SimWorld } from "./sim-world.ts";
import { rowsFingerprint, stateFingerprint, TextHash } from "./state-fingerprint.ts";

/** The whole state is compared at every index that this divides. */
const FINGERPRINT_INTERVAL = 16;

export class MemberOracles {
  readonly #world: SimWorld;
  readonly #recorder: Recorder;
  readonly #leases: LeaseOracle;
  readonly #leaders = new LeadersByTerm();
  readonly #entries = new SameState("index");
  readonly #states = new SameState("applied index");
  /** Which rows there are follows from the two revisions once a compaction is swept. */
  readonly #rows = new SameState("rows");
  readonly #compactions = new SameState("compaction");
  appliedCount = 0;

  constructor(world: SimWorld, recorder: Recorder, leases: LeaseOracle) {
    this.#world = world;
    this.#recorder = recorder;
    this.#leases = leases;
  }

  /** Only a leader sends these. */
  sent(name: string, messages: readonly Message[]): void {
    for (const { kind, term } of messages) {
      if (kind !== "append" && kind !== "heartbeat" && kind !== "snapshot") continue;
      this.#recorder.report(this.#leaders.observe(term, name));
    }
  }

  watch(name: string, member: Member): void {
    const { hub, stateMachine, lessor } = member.state;
    const notify = hub.notify.bind(hub);
    hub.notify = (batch) => {
      this.#recorder.applied(name, batch);
      notify(batch);
    };
    const apply = stateMachine.apply.bind(stateMachine) as (...all: unknown[]) => void;
    const watched = (...all: unknown[]) => {
      const before = stateMachine.appliedIndex();
      apply(...all);
      const entry = all[0] as { index: number; term: number; kind: number; data: Uint8Array };
      if (entry.index > before) this.#applied(name, member, entry);
    };
    stateMachine.apply = watched as typeof stateMachine.apply;
    const revoke = lessor.revoke.bind(lessor);
    lessor.revoke = (id) => {
      this.#leases.revoked(name, id);
      revoke(id);
    };
  }

  /** Looks at the rows of a database that is at rest. */
  look(name: string, member: Member): void {
    const { store, storage } = member.state;
    const { database } = storage;
    if (store.isCompacting() || database.isCommitting() || database.pendingWrites() > 0) return;
    const at = `${store.revision()}/${store.compactRevision()}`;
    this.#recorder.report(this.#rows.observe(at, name, rowsFingerprint(member)));
  }

  #applied(
    name: string,
    member: Member,
    entry: { index: number; term: number; kind: number; data: Uint8Array },
  ): void {
    this.appliedCount++;
    const hash = new TextHash();
    hash.bytes(entry.data);
    const { index, term, kind } = entry;
    const text = `term ${term} kind ${kind} ${hash.text()}`;
    this.#recorder.report(this.#entries.observe(index, name, text));
    if (index % FINGERPRINT_INTERVAL !== 0) return;
    for (const {
      hash: sum,
      compactRevision,
      hashRevision,
    } of member.state.store.compactionHashes()) {
      const at = `${compactRevision}-${hashRevision}`;
      this.#recorder.report(this.#compactions.observe(at, name, sum));
    }
    const state = stateFingerprint(member);
    this.#world.note(`state ${name} ${index} ${state}`);
    this.#recorder.report(this.#states.observe(index, name, state));
  }
}
