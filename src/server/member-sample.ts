/** A member's numbers at one moment, for /metrics. */
import { AlarmType, type MemberSample } from "../api/index.ts";
import { ETCD_VERSION } from "../base/version.ts";
import type { Member } from "./member.ts";

const ALARM_NAMES = new Map<number, string>(
  Object.entries(AlarmType).map(([name, value]) => [value, name]),
);

export function sampleOf(member: Member): MemberSample {
  const { store, storage, alarms, membership, stateMachine, node } = member.state;
  const { quotaBytes, features } = member.options;
  const { counters } = stateMachine;
  const watch = member.services.watch.statistics();
  return {
    memberId: member.memberId,
    serverVersion: ETCD_VERSION,
    clusterVersion: membership.clusterVersion().split(".").slice(0, 2).join("."),
    hasLeader: node.leader() !== 0n,
    isLeader: node.isLeader(),
    isLearner: membership.member(member.memberId)?.isLearner ?? false,
    leaderChangesTotal: node.leaderChanges,
    proposalsCommittedIndex: node.commit(),
    proposalsAppliedIndex: stateMachine.appliedIndex(),
    proposalsPending: member.queue.size,
    proposalsFailedTotal: member.queue.failedCount,
    readIndexesFailedTotal: member.reads.failedCount,
    slowReadIndexesTotal: member.reads.slowCount,
    slowApplyTotal: member.applyObserver.slowCount,
    heartbeatSendFailuresTotal: member.loop.lateHeartbeats,
    snapshotAppliesInProgress: member.loop.installing,
    diskStallsTotal: member.diskWatch.stalls,
    diskStalledSeconds: member.loop.diskStalledMs() / 1000,
    quotaBytes: Number.isFinite(quotaBytes) ? quotaBytes : 0,
    alarms: alarms.list().map(({ memberId, type }) => ({
      memberId,
      type: ALARM_NAMES.get(type) ?? String(type),
    })),
    features,
    databaseBytes: storage.database.sizeBytes(),
    databaseBytesInUse: storage.database.inUseBytes(),
    openReadTransactions: storage.database.openReadTransactions(),
    walWrittenBytes: storage.wal.statistics().writtenBytes,
    rangesTotal: counters.ranges,
    putsTotal: counters.puts,
    deletesTotal: counters.deletes,
    txnsTotal: counters.txns,
    putBytesTotal: counters.putBytes,
    keys: store.keyCount(),
    currentRevision: store.revision(),
    compactRevision: store.compactRevision(),
    compactedKeysTotal: member.compactor.removedRows,
    lastCompactionSeconds: member.compactor.finishedSeconds,
    eventsTotal: watch.eventsTotal,
    pendingEvents: watch.pendingEvents,
    watchers: watch.watchers,
    slowWatchers: watch.slowWatchers,
    watchStreams: watch.streams,
    leasesGrantedTotal: counters.leasesGranted,
    leasesRenewedTotal: member.services.lease.renewedCount,
    leasesRevokedTotal: counters.leasesRevoked,
    leasesExpiredTotal: member.leaseKeeper.expiredCount,
  };
}
