/** Tells the cluster, through the log, under which name and client URLs this member is reached; until it knows. */
import { type EtcdError, encodeMembershipClusterMemberAttrSetRequest } from "../api/index.ts";
import { hexId } from "../cluster/index.ts";
import type { Clock, Logger } from "../io/index.ts";
import { CommandKind } from "../state-machine/index.ts";
import type { Proposer } from "./proposer.ts";

const RETRY_MS = 500;

export interface PublisherParts {
  readonly proposer: Proposer;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly name: string;
  readonly clientUrls: readonly string[];
  readonly memberId: bigint;
  readonly clusterId: bigint;
}

/** Calls `ready` once; tries again for ever, until the member is stopped. */
export function publish(parts: PublisherParts, isStopped: () => boolean, ready: () => void): void {
  const { proposer, clock, logger, name, clientUrls, memberId, clusterId } = parts;
  const attributes = { name, client_urls: [...clientUrls] };
  const fields = {
    "local-member-id": hexId(memberId),
    "local-member-attributes": JSON.stringify({ Name: name, ClientURLs: clientUrls }),
  };
  proposer.propose(
    CommandKind.memberAttributesSet,
    encodeMembershipClusterMemberAttrSetRequest,
    { member_ID: memberId, member_attributes: attributes },
    {
      succeed: () => {
        const cluster = { "cluster-id": hexId(clusterId) };
        logger.info("published local member to cluster through raft", { ...fields, ...cluster });
        ready();
      },
      fail: (error: EtcdError) => {
        if (isStopped()) return;
        logger.warn("failed to publish local member to cluster through raft", {
          ...fields,
          error: error.message,
        });
        clock.setTimer(RETRY_MS, () => {
          if (!isStopped()) publish(parts, isStopped, ready);
        });
      },
    },
  );
}
