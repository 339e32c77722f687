/**
 * Incidents 1 to 17 of etcd (what went wrong, in other words than its own), put into cairn one at a time as a few
 * exact edits. Where cairn has no counterpart of the place where it happened, the same root cause is put where it
 * could happen here; `transposed` says how. The simulator has to find each of them.
 */
export interface Edit {
  /** Below `src`. */
  readonly file: string;
  /** Stands exactly once in the file. */
  readonly from: string;
  readonly to: string;
}

export interface Incident {
  readonly number: number;
  readonly name: string;
  readonly transposed?: string;
  readonly edits: readonly Edit[];
}

export const incidents: readonly Incident[] = [
  {
    number: 1,
    name: "13766 a commit between the applied index and the effects of the entry",
    transposed: "the commit is made at that point now and then; here no other code runs in between",
    edits: [
      {
        file: "state-machine/state-machine.ts",
        from: "const reply = this.#applyCommand(command, nowMs);",
        to: `this.#parts.database.setConsistentIndex(entry.index, entry.term);
      if (entry.index % 7 === 0) this.#parts.database.commit();
      const reply = this.#applyCommand(command, nowMs);`,
      },
    ],
  },
  {
    number: 2,
    name: "14370 a single member answers before its own disk has the entry",
    edits: [
      {
        file: "server/raft-loop.ts",
        from: "if (ready.mustSync) this.#sync(ready);",
        to: `if (ready.mustSync && node.raft.isAlone() && ready.snapshot === null) {
      wal.flush(() => {});
      this.#durable(ready.sequence);
    } else if (ready.mustSync) this.#sync(ready);`,
      },
    ],
  },
  {
    number: 3,
    name: "14685 defragmentation commits without the applied index",
    edits: [
      {
        file: "database/database.ts",
        from: "if (this.#indexChanged) {",
        to: "if (this.#indexChanged && !this.#isForced) {",
      },
    ],
  },
  {
    number: 4,
    name: "14571 a cache is not rebuilt when the state is loaded",
    transposed: "which keys hang on a lease, instead of permissions",
    edits: [
      {
        file: "server/member-state.ts",
        from: "if (lessor.has(leaseId)) lessor.attach(key, leaseId);",
        to: "void key, leaseId;",
      },
    ],
  },
  {
    number: 5,
    name: "11651 a kind of command does not move the applied index",
    transposed: "transactions, instead of commands of users and roles",
    edits: [
      {
        file: "state-machine/state-machine.ts",
        from: `      // Before the reply: whoever gets it may commit the database at once.
      this.#applied(entry);`,
        to: `      this.#appliedIndex = entry.index;
      this.#appliedTerm = entry.term;
      if (command.kind !== CommandKind.txn) this.#applied(entry);`,
      },
    ],
  },
  {
    number: 6,
    name: "18667 members without a client skip reads, and with them the error",
    edits: [
      {
        file: "server/member-state.ts",
        from: "const stateMachine = new StateMachine({ database,",
        to: "const stateMachine = new StateMachine({ own: Number(BigInt.asUintN(48, storage.memberId)), database,",
      },
      {
        file: "state-machine/state-machine.ts",
        from: "export interface StateMachineParts {",
        to: "export interface StateMachineParts {\n  readonly own?: number;",
      },
      {
        file: "state-machine/state-machine.ts",
        from: "return this.#txn(command.request);",
        to: "return this.#txn(command.request, command.origin);",
      },
      {
        file: "state-machine/state-machine.ts",
        from: "#txn(bytes: Uint8Array)",
        to: "#txn(bytes: Uint8Array, origin: number)",
      },
      {
        file: "state-machine/state-machine.ts",
        from: "const path = choosePath(this.#view, request);",
        to: `if (origin !== this.#parts.own) {
      request.success = request.success.filter((each) => each.request_range === undefined);
      request.failure = request.failure.filter((each) => each.request_range === undefined);
    }
    const path = choosePath(this.#view, request);`,
      },
    ],
  },
  {
    number: 7,
    name: "15220 progress is told while events are still to come",
    edits: [
      {
        file: "mvcc/watch/watch-stream.ts",
        from: "if (!this.#hasProgressed(watcher)) return null;",
        to: 'if (watcher.state === "compacted" || watcher.startRevision > this.#hub.storeRevision) return null;',
      },
    ],
  },
  {
    number: 8,
    name: "15271 a watch goes back after a snapshot",
    edits: [
      {
        file: "mvcc/watch/watch-hub.ts",
        from: "watcher.nextRevision = Math.max(watcher.nextRevision, told + 1);",
        to: "void told;",
      },
    ],
  },
  {
    number: 9,
    name: "17529 a slow watcher is moved over what was compacted",
    edits: [
      {
        file: "mvcc/watch/catch-up.ts",
        from: "this.#owner.compacted(watcher, compactRevision);",
        to: `watcher.nextRevision = compactRevision;
        lowest = Math.min(lowest, compactRevision);
        highest = Math.max(highest, compactRevision);`,
      },
    ],
  },
  {
    number: 10,
    name: "17780 the revision goes down after a restart behind a compaction",
    edits: [
      {
        file: "mvcc/compaction.ts",
        from: "if (!index.locate(id, this.revision)) return false;",
        to: "if (tombstone || !index.locate(id, this.revision)) return false;",
      },
      {
        file: "mvcc/restore.ts",
        from: "return Math.max(1, this.checkpointRevision, this.#lastMain, this.compactRevision);",
        to: "return Math.max(1, this.checkpointRevision, this.#lastMain);",
      },
    ],
  },
  {
    number: 11,
    name: "18089 the delete at exactly the compacted revision is removed",
    edits: [
      {
        file: "mvcc/compaction.ts",
        from: "if (!index.locate(id, this.revision)) return false;",
        to: "if (tombstone || !index.locate(id, this.revision)) return false;",
      },
    ],
  },
  {
    number: 12,
    name: "19179 a lone delete is ignored when the index is rebuilt",
    edits: [
      {
        file: "mvcc/restore.ts",
        from: "const { main, sub, tombstone } = rows;",
        to: `const { main, sub, tombstone } = rows;
    this.#lastMain = main;
    if (tombstone && this.#index.find(key) === 0) return;`,
      },
    ],
  },
  {
    number: 13,
    name: "20221 a watch on the future gets the past after a snapshot",
    edits: [
      {
        file: "mvcc/watch/watch-hub.ts",
        from: "watcher.nextRevision = Math.max(watcher.nextRevision, told + 1);",
        to: "watcher.nextRevision = told + 1;",
      },
      {
        file: "mvcc/watch/watch-stream.ts",
        from: `watcher.state === "synced" && this.#hub.revision >= watcher.startRevision`,
        to: `watcher.state === "synced"`,
      },
    ],
  },
  {
    number: 14,
    name: "18055 a newer snapshot removes the file of one that is still to be opened",
    edits: [
      {
        file: "server/snapshot-receiver.ts",
        from: "const path = files.partPathOf(index);",
        to: `const path = files.partPathOf(index);
    for (const older of files.present()) if (older < index) removeQuietly(files, files.pathOf(older));`,
      },
    ],
  },
  {
    number: 15,
    name: "20271 maintenance is not held up while a snapshot replaces the state",
    edits: [
      {
        file: "database/database.ts",
        from: "if (this.#committing === null) idle();",
        to: "idle();",
      },
      {
        file: "database/database.ts",
        from: `assert(this.#onIdle !== null && this.#committing === null, "replaced while suspended");`,
        to: "",
      },
      {
        file: "database/database.ts",
        from: `assert(this.#onIdle !== null && this.#committing === null, "resumed after a suspension");`,
        to: "",
      },
    ],
  },
  {
    number: 16,
    name: "20418 a read that is asked again reuses its number",
    edits: [
      {
        file: "raft/read-index.ts",
        from: "const id = this.#nextId++;",
        to: "const id = this.#nextId;",
      },
    ],
  },
  {
    number: 17,
    name: "15247 an old leader goes on taking leases away",
    edits: [
      {
        file: "server/raft-loop.ts",
        from: `if (raft.role !== "leader" || typeof raft.propose(kind, data) !== "number") return false;`,
        to: "if (raft.leader === 0n || this.propose(kind, data) !== null) return false;",
      },
      {
        file: "server/lease-keeper.ts",
        from: "if (this.leadingTerm() !== NOT_LEADING) this.#scan();",
        to: "this.#scan();",
      },
      {
        file: "server/lease-keeper.ts",
        from: `      lessor.demote();
      this.#term = NOT_LEADING;`,
        to: "",
      },
    ],
  },
];
