/** Values of raft that others handle, too. */
export type { Entry } from "./entry.ts";
export { ENTRY_COMMAND, ENTRY_MEMBERSHIP } from "./entry.ts";

export interface HardState {
  readonly term: number;
  readonly vote: bigint;
  readonly commit: number;
}
