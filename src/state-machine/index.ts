export { COMMAND_NAMES, type Command, CommandKind } from "./command.ts";
export { decodeCommand, encodeCommand } from "./command-codec.ts";
export { ApplyCounters } from "./counters.ts";
export type { MembershipListener, MembershipReply } from "./membership-change.ts";
export {
  decodeMembershipEntry,
  encodeMembershipEntry,
  MEMBER_URL_LENGTH_MAX,
  MEMBER_URLS_MAX,
  type MemberChange,
  type MembershipEntry,
} from "./membership-entry.ts";
export {
  errorOfRevision,
  executeRange,
  finishRange,
  keyAfter,
  planRange,
  type RangePlan,
  type RangeView,
} from "./range.ts";
export {
  checkDeleteRange,
  checkPut,
  checkRange,
  checkTxn,
  isReadOnlyTxn,
  isSerializableTxn,
  leaseGrantCost,
  putCost,
  txnCost,
} from "./request-checks.ts";
export {
  type LogEntry,
  type Reply,
  type ReplySink,
  StateMachine,
  type StateMachineParts,
} from "./state-machine.ts";
export type { Steps } from "./steps.ts";
export { readOnlySteps, runReadOnly, type TxnView } from "./txn.ts";
