/** A raft node of a given cluster without a disk, for tests of what stands around it. */

import type { SimClock } from "../../../test/simulation/sim-clock.ts";
import { silentLogger } from "../../io/index.ts";
import {
  type Configuration,
  type Entry,
  RAFT_DEFAULTS,
  type RaftOptions,
} from "../../raft/index.ts";
import type { Bootstrapped } from "../bootstrap.ts";
import { RaftNode } from "../raft-node.ts";

export const SELF = 7n;

export function newTestNode(
  clock: SimClock,
  {
    voters = [SELF],
    entries = [] as readonly Entry[],
    readMode = "safe" as RaftOptions["readMode"],
  } = {},
): RaftNode {
  const configuration: Configuration = { voters, learners: [] };
  const storage = {
    memberId: SELF,
    hardState: { term: 1, vote: 0n, commit: 0 },
    previous: { index: 0, term: 0 },
    entries,
    configuration,
    database: { consistentIndex: () => 0, consistentTerm: () => 0 },
  } as unknown as Bootstrapped;
  return new RaftNode({
    storage,
    settings: { ...RAFT_DEFAULTS, readMode, random: () => 0 },
    clock,
    logger: silentLogger,
  });
}
