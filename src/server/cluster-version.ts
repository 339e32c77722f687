/** What a member sets for the whole cluster once it leads: the version that all speak. */
import { encodeMembershipClusterVersionSetRequest } from "../api/index.ts";
import { CLUSTER_VERSION } from "../base/version.ts";
import type { Membership } from "../cluster/index.ts";
import type { Logger } from "../io/index.ts";
import { CommandKind } from "../state-machine/index.ts";
import type { Proposer } from "./proposer.ts";

export function setClusterVersion(
  membership: Membership,
  proposer: Proposer,
  logger: Logger,
): void {
  if (membership.clusterVersion() === CLUSTER_VERSION) return;
  const proposed = proposer.proposeAsLeader(
    CommandKind.clusterVersionSet,
    encodeMembershipClusterVersionSetRequest,
    { ver: CLUSTER_VERSION },
  );
  if (proposed) logger.info("setting up initial cluster version", { "cluster-version": "3.7" });
}
