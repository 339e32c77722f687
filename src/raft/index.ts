export type { SingleVoterState } from "./single-voter.ts";
export { SingleVoter } from "./single-voter.ts";
export type { Entry, HardState, RaftStatus, Ready, ReplicatedLog } from "./types.ts";
export { ENTRY_COMMAND, ENTRY_MEMBERSHIP } from "./types.ts";
