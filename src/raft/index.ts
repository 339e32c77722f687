export type {
  Configuration,
  ConfigurationRefusal,
  MembershipChange,
} from "./conf-change.ts";
export { isMember, isVoter, membersOf, NO_MEMBERS } from "./conf-change.ts";
export type { LogStorage } from "./log-storage.ts";
export { MemoryLog } from "./log-storage.ts";
export type { Message, Proposal, SnapshotMark } from "./message.ts";
export { RaftMember } from "./raft-member.ts";
export type {
  MemberProgress,
  ProposeResult,
  RaftMemberStatus,
  RaftOptions,
  RaftReady,
  ReadContext,
  ReadState,
  Refusal,
  RoleName,
} from "./ready.ts";
export { RAFT_DEFAULTS } from "./ready.ts";
export type { Entry, HardState } from "./types.ts";
export { ENTRY_COMMAND, ENTRY_MEMBERSHIP } from "./types.ts";
