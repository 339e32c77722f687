/**
 * Guards of cairn itself, each taken away by a few exact edits: places that no incident of etcd covers, where the
 * simulator was or could be the only one to notice.
 */
import type { Incident } from "./incidents.ts";

export const guards: readonly Incident[] = [
  {
    number: 101,
    name: "a log that a killed process left in memory counts as durable",
    edits: [
      {
        file: "wal/recovery.ts",
        from: "if (!cleanlyClosed) makeLogDurable(disk, directory);",
        to: "",
      },
    ],
  },
  {
    number: 102,
    name: "a leader that was stopped reads by its lease before its ticks are delivered",
    edits: [
      { file: "server/reads.ts", from: "if (catchUp !== null) catchUp();", to: "void catchUp;" },
    ],
  },
  {
    number: 103,
    name: "a leader renews leases without knowing that it still leads",
    edits: [
      {
        file: "server/leadership-check.ts",
        from: "if (!raft.isLeader()) return false;",
        to: "if (raft.isLeader()) return true;",
      },
    ],
  },
  {
    number: 105,
    name: "keys are not bound to their leases again after a received snapshot",
    edits: [
      {
        file: "server/replace-state.ts",
        from: "(key, id) => this.leases.attach(key, id)",
        to: "() => {}",
      },
    ],
  },
  {
    number: 106,
    name: "members are not read again after a received snapshot",
    edits: [{ file: "server/replace-state.ts", from: "membership.reload();", to: "" }],
  },
  {
    number: 107,
    name: "an append is answered before it is durable",
    edits: [
      {
        file: "raft/follower.ts",
        from: `core.hold({ kind: "append-accepted", ...header, index: last });`,
        to: `core.send({ kind: "append-accepted", ...header, index: last });`,
      },
    ],
  },
  {
    number: 108,
    name: "a lease for reads lasts three ticks too long",
    edits: [
      {
        file: "raft/leader.ts",
        from: "/ (1 + clockDriftMax)) - 1;",
        to: "/ (1 + clockDriftMax)) + 2;",
      },
    ],
  },
  {
    number: 109,
    name: "a new leader reads before it committed in its term",
    edits: [
      {
        file: "raft/leader.ts",
        from: "if (!reads.hasWaiting() || core.log.commit < leader.termStartIndex) return;",
        to: "if (!reads.hasWaiting()) return;",
      },
    ],
  },
  {
    number: 110,
    name: "whether a compaction lies in the future is decided by a member that lags",
    edits: [
      {
        file: "server/kv-service.ts",
        from: "const waiter = request.physical",
        to: `if (request.revision > store.revision()) {
      call.fail(errFutureRev);
      return;
    }
    const waiter = request.physical`,
      },
      {
        file: "server/kv-service.ts",
        from: "  errCompacted,",
        to: "  errCompacted,\n  errFutureRev,",
      },
    ],
  },
];
