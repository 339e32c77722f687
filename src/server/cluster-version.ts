/** What a member sets for the whole cluster once it leads: the version that all speak. */
import { encodeMembershipClusterVersionSetRequest } from "../api/index.ts";
import { CLUSTER_VERSION } from "../base/version.ts";
import type { Membership } from "../cluster/index.ts";
import type { Logger } from "../io/index.ts";
import { CommandKind } from "../state-machine/index.ts";
import type { Proposer } from "./proposer.ts";

/** Proposes it where it is not known to be set; false when that was refused. */
export function setClusterVersion(
  membership: Membership,
  proposer: Proposer,
  logger: Logger,
): boolean {
  if (membership.clusterVersion() === CLUSTER_VERSION) return true;
  const proposed = proposer.proposeAsLeader(
    CommandKind.clusterVersionSet,
    encodeMembershipClusterVersionSetRequest,
    { ver: CLUSTER_VERSION },
  );
  if (proposed) logger.info("setting up initial cluster version", { "cluster-version": "3.7" });
  return proposed;
}

/** Says it when the cluster's version is known or changes: scripts wait for these lines. */
export class VersionLog {
  readonly #membership: Membership;
  readonly #logger: Logger;
  #known: string;

  constructor(membership: Membership, logger: Logger) {
    this.#membership = membership;
    this.#logger = logger;
    this.#known = membership.clusterVersion();
    if (this.#known !== "") this.#sayCapabilities();
  }

  /** Called after entries were applied. */
  note(): void {
    const version = this.#membership.clusterVersion();
    if (version === this.#known) return;
    const message = this.#known === "" ? "set initial cluster version" : "updated cluster version";
    this.#known = version;
    this.#logger.info(message, { "cluster-version": shortVersion(version) });
    this.#sayCapabilities();
  }

  #sayCapabilities(): void {
    const fields = { "cluster-version": shortVersion(this.#known) };
    this.#logger.info("enabled capabilities for version", fields);
  }
}

function shortVersion(version: string): string {
  return version.split(".").slice(0, 2).join(".");
}
