/** Makes the cluster service of a member: the guard of reconfigurations, the way of changes into the log. */
import { ClusterServer } from "./cluster-service.ts";
import { countedPromotions } from "./counted-promotions.ts";
import { type MemberOptions, requestTimeoutMs } from "./member-options.ts";
import type { MemberState } from "./member-state.ts";
import { LogMembershipProposer } from "./membership-proposer.ts";
import type { PeerRequests } from "./peer-requests.ts";
import type { ProposalQueue } from "./proposal-queue.ts";
import type { RaftLoop } from "./raft-loop.ts";
import type { Reads } from "./reads.ts";
import { ReconfigurationGuard } from "./reconfiguration-guard.ts";
import type { HeaderFactory } from "./response-header.ts";

export interface MemberClusterParts {
  readonly queue: ProposalQueue;
  readonly loop: RaftLoop;
  readonly peerRequests: PeerRequests;
  readonly reads: Reads;
  readonly headers: HeaderFactory;
}

export function makeClusterServer(
  options: MemberOptions,
  { membership, node, instruments }: MemberState,
  { queue, loop, peerRequests, reads, headers }: MemberClusterParts,
): ClusterServer {
  const { clock, logger, transport, newDigest, learnersMax } = options;
  const { memberId, raft } = node;
  const guard = new ReconfigurationGuard({
    ...{ memberId, membership, clock, logger },
    isStrict: options.strictReconfigCheck,
    activeSinceMs: (member) => transport.activeSinceMs(member),
  });
  const proposer = new LogMembershipProposer({
    ...{ queue, transport, peerRequests, guard, clock, learnersMax },
    raft: {
      memberId,
      isLeader: () => node.isLeader(),
      leader: () => node.leader(),
      proposeMembershipChange: (change, data) => raft.proposeMembershipChange(change, data),
      matchOf: (member) => raft.matchOf(member),
    },
    wake: () => loop.wake(),
    timeoutMs: requestTimeoutMs(options),
  });
  return new ClusterServer({
    proposer: countedPromotions(proposer, instruments),
    ...{ membership, guard, reads, headers, clock, logger, newDigest, memberId },
  });
}
