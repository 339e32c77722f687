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
    id: "force-new-cluster-whole-log",
    etcd:
      "--force-new-cluster drops the entries of the log that this member does not know to be " +
      "committed, and goes on without them.",
    cairn:
      "It keeps the whole log. Changes of members in it are made and then undone by the removal of " +
      "everybody else; a removal of this member itself that was still under way is left out.",
    reason:
      "Who acknowledged them may have died before it told anybody: acknowledged writes that are on " +
      "this disk would be lost.",
  },
  {
    id: "wiped-member",
    etcd:
      "A member that ran before and lost its data directory may start with " +
      "--initial-cluster-state=existing under its old id.",
    cairn:
      "Refuses to start and says what to do: remove the member and add it again, or " +
      "`cairn util repair`.",
    reason:
      "It does not know any more for whom it voted and what it acknowledged: with its vote a member " +
      "without acknowledged writes could lead, and they would be lost.",
  },
  {
    id: "names-before-start",
    etcd:
      "Members of --initial-cluster have their name in member lists before they were started once; " +
      "so `etcdctl member list` shows them as started.",
    cairn: "They have none until they started, and are shown as unstarted.",
    reason:
      "All members begin their logs with the same entries, and with DNS discovery they call each " +
      "other by different names.",
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
