// Differences that only clusters show; part of the table in divergence.ts. No step of a case shows them.

import type { Divergence } from "./divergence.ts";

export const clusterDivergences: readonly Divergence[] = [
  {
    id: "member-changes-in-turn",
    etcd: "A change of members that comes while another is being applied is dropped; its client waits in vain.",
    cairn: "It is proposed again once the other is done, for as long as its client waits.",
    reason: "Nobody can tell a dropped change from one that is still to come.",
  },
  {
    id: "last-voter",
    etcd: "Without --strict-reconfig-check the last voter can be removed, which ends it for good.",
    cairn:
      "Refuses: `etcdserver: re-configuration failed due to not enough started members`, the answer " +
      "that etcd gives with the check.",
    reason: "No request may end a server, and a cluster without voters can never be repaired.",
  },
  {
    id: "lease-checkpoints",
    etcd:
      "A new leader gives every lease its whole time again, unless the feature " +
      "LeaseCheckpoint is on; it is off by default, and passes over leases with less than " +
      "five minutes left.",
    cairn:
      "The feature is on by default and covers every lease of more than five minutes. " +
      "`--feature-gates=LeaseCheckpoint=false` is etcd's default.",
    reason: "A lease that nobody renews should end although leaders come and go.",
  },
  {
    id: "read-leader-changed",
    etcd:
      "A linearizable read that waits while the leader changes fails with `etcdserver: " +
      "leader changed`.",
    cairn: "It is asked again of the new leader, until the request timeout.",
    reason: "Reads are harmless to repeat, and clients would only do the same.",
  },
  {
    id: "write-without-leader",
    etcd:
      "A write that finds no leader for the whole request timeout fails with " +
      "DeadlineExceeded `context deadline exceeded`.",
    cairn: "It fails with Unavailable `etcdserver: request timed out`, as a read does.",
    reason: "DeadlineExceeded says that the client's own deadline passed, which is not so.",
  },
  {
    id: "readyz-disk",
    etcd: "/readyz says nothing of a disk that does not answer.",
    cairn: "The check `disk` fails while no sync of the log has finished for an election timeout.",
    reason: "Such a member neither leads nor votes.",
  },
];
