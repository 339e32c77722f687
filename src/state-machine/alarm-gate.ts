/** What active alarms forbid, asked before a command is applied. Replicated state: every member answers alike. */
import {
  AlarmType,
  decodeTxnRequest,
  type EtcdError,
  errCorrupt,
  errNoSpace,
} from "../api/index.ts";
import type { Alarms } from "../cluster/index.ts";
import { type Command, CommandKind } from "./command.ts";
import { txnCost } from "./request-checks.ts";

const NOT_ON_CORRUPT_DATA: ReadonlySet<number> = new Set([
  CommandKind.put,
  CommandKind.deleteRange,
  CommandKind.txn,
  CommandKind.compaction,
  CommandKind.leaseGrant,
  CommandKind.leaseRevoke,
]);

export function alarmGate(alarms: Alarms, command: Command): EtcdError | null {
  if (NOT_ON_CORRUPT_DATA.has(command.kind) && alarms.isActive(AlarmType.CORRUPT)) {
    return errCorrupt;
  }
  if (needsSpace(command) && alarms.isActive(AlarmType.NOSPACE) && !isFree(command)) {
    return errNoSpace;
  }
  return null;
}

function needsSpace(command: Command): boolean {
  const { kind } = command;
  return kind === CommandKind.put || kind === CommandKind.txn || kind === CommandKind.leaseGrant;
}

/** A transaction that puts nothing may run on a full database: it is how space is won back. */
function isFree(command: Command): boolean {
  return command.kind === CommandKind.txn && txnCost(decodeTxnRequest(command.request)) === 0;
}
