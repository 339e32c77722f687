/** What every member's log says of a change of members, in etcd's words. */
import { hexId, type Membership } from "../cluster/index.ts";
import type { Logger } from "../io/index.ts";
import type { Configuration, MembershipChange } from "../raft/index.ts";

export interface MembershipLogParts {
  readonly logger: Logger;
  readonly clusterId: bigint;
  readonly memberId: bigint;
  /** After the change. */
  readonly membership: Membership;
}

/** `before`: raft's configuration without the change, which tells a promotion from an addition. */
export function logMembershipChange(
  { logger, clusterId, memberId, membership }: MembershipLogParts,
  { kind, member: id }: MembershipChange,
  before: Configuration,
): void {
  const own = { "cluster-id": clusterId, "local-member-id": memberId };
  const peerUrls = membership.member(id)?.peerUrls ?? [];
  switch (kind) {
    case "remove":
      logger.info("removed member", { ...own, "removed-remote-peer-id": hexId(id) });
      return;
    case "update":
      logger.info("updated member", {
        ...own,
        "updated-remote-peer-id": hexId(id),
        "updated-remote-peer-urls": peerUrls,
      });
      return;
    default:
      if (before.learners.includes(id)) {
        logger.info("promote member", { ...own, "promoted-member-id": hexId(id) });
        return;
      }
      logger.info("added member", {
        ...own,
        "added-peer-id": hexId(id),
        "added-peer-peer-urls": peerUrls,
        "added-peer-is-learner": kind === "add-learner",
      });
  }
}
