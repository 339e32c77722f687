/** The other members as a repair needs them: a port. `client-peers.ts` speaks with real ones. */
import type { Member } from "../../../cluster/index.ts";
import type { DiskFile } from "../../../io/index.ts";

/** What a member says about itself. */
export interface PeerStatus {
  readonly endpoint: string;
  readonly memberId: bigint;
  readonly clusterId: bigint;
  readonly appliedIndex: number;
  readonly isLearner: boolean;
  readonly hasLeader: boolean;
  /** Members named by alarms CORRUPT, 0n for all. */
  readonly corrupt: readonly bigint[];
}

/** Every method throws RepairProblem where the answer is not to be had. */
export interface RepairPeers {
  /** Of every endpoint that answers. */
  statuses(): Promise<PeerStatus[]>;
  /** As the majority knows it. */
  members(): Promise<Member[]>;
  /** True when it is gone, also if it was gone before. */
  remove(memberId: bigint): Promise<void>;
  /** The id that the new member gets. */
  add(peerUrls: readonly string[], isLearner: boolean): Promise<bigint>;
  /** Writes the member's whole database, its SHA-256 checked, from the start of the file. */
  fetchDatabase(endpoint: string, file: DiskFile): Promise<void>;
}
