/** The replicated state of a member, opened from disk: everything that the log's entries change. */
import { MemberInstruments } from "../api/index.ts";
import { Alarms, Membership } from "../cluster/index.ts";
import { CheckpointFile } from "../database/index.ts";
import { Lessor } from "../lease/index.ts";
import { Store } from "../mvcc/index.ts";
import { WatchHub } from "../mvcc/watch/index.ts";
import { RAFT_DEFAULTS } from "../raft/index.ts";
import { StateMachine } from "../state-machine/index.ts";
import { logAlarmChange } from "./alarm-log.ts";
import { type Bootstrapped, bootstrap } from "./bootstrap.ts";
import { electionTimeoutTicks, type MemberOptions } from "./member-options.ts";
import { RaftNode } from "./raft-node.ts";

export interface MemberState {
  readonly instruments: MemberInstruments;
  readonly storage: Bootstrapped;
  readonly lessor: Lessor;
  readonly store: Store;
  readonly hub: WatchHub;
  readonly membership: Membership;
  readonly alarms: Alarms;
  readonly stateMachine: StateMachine;
  readonly node: RaftNode;
}

/** A lease lives at least one and a half election timeouts, in whole seconds (etcd's rule). */
const LEASE_TTL_ELECTIONS = 1.5;

export function openState(options: MemberOptions): MemberState {
  const instruments = new MemberInstruments();
  const storage = bootstrap({
    ...options,
    walObserver: {
      written: (seconds) => instruments.walWriteSeconds.observe(seconds),
      synced: (seconds) => instruments.walFsyncSeconds.observe(seconds),
    },
  });
  const { database } = storage;
  const ttlSecondsMin = Math.ceil((LEASE_TTL_ELECTIONS * options.electionTimeoutMs) / 1000);
  const lessor = new Lessor(database, {
    ttlSecondsMin,
    granted: (ttlSeconds) => instruments.leaseTtlSeconds.observe(ttlSeconds),
  });
  const { store, hub } = openStore(options, storage, lessor);
  const membership = new Membership(database);
  const alarms = new Alarms(database, (alarm, isActive) => {
    logAlarmChange(options.logger, alarm, isActive);
  });
  const stateMachine = new StateMachine({ database, store, lessor, membership, alarms });
  const node = openNode(options, storage);
  return { instruments, storage, lessor, store, hub, membership, alarms, stateMachine, node };
}

function openNode(options: MemberOptions, storage: Bootstrapped): RaftNode {
  const { random, preVote, readMode, clockDriftMax, clock, logger } = options;
  return new RaftNode({
    ...{ storage, clock, logger },
    settings: {
      ...RAFT_DEFAULTS,
      ...{ preVote, readMode, clockDriftMax, commitsWait: true },
      electionTimeoutTicks: electionTimeoutTicks(options),
      random: (below) => Math.floor((random.uint32() / 2 ** 32) * below),
    },
  });
}

/** The index checkpoint lies beside the database; etcd's own tools pass it over. */
export function checkpointPath(storage: Bootstrapped): string {
  return `${storage.snapshotDirectory}/index.cairn`;
}

function openStore(options: MemberOptions, storage: Bootstrapped, lessor: Lessor) {
  const { disk, logger } = options;
  let hub: WatchHub | null = null;
  const checkpoint = CheckpointFile.open(disk, checkpointPath(storage));
  const store = Store.open({
    database: storage.database,
    ...(checkpoint === undefined ? {} : { checkpoint }),
    onCheckpointIgnored: (reason) => logger.warn("ignored the index checkpoint", { reason }),
    hashSeed: options.random.uint32(),
    onChanges: (batch) => hub?.notify(batch),
    // Every derived fact is rebuilt from what is stored, on every way of loading it (incident 4).
    onLease: (key, leaseId) => {
      if (lessor.has(leaseId)) lessor.attach(key, leaseId);
    },
  });
  checkpoint?.close();
  hub = new WatchHub(store);
  logger.info("kvstore restored", { "current-rev": store.revision() });
  return { store, hub };
}
