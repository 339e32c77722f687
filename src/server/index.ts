export type { BootstrapOptions, Bootstrapped } from "./bootstrap.ts";
export type { RemoteCluster } from "./existing-cluster.ts";
export { writeJoinRecord } from "./join-record.ts";
export { Member } from "./member.ts";
export type { MemberOptions } from "./member-options.ts";
export { sampleOf } from "./member-sample.ts";
export { SnapshotFiles } from "./snapshot-files.ts";
export { RemovedMember, StartProblem } from "./start-problem.ts";
export { refuseUnfinishedRepair, UNFINISHED_REPAIR_FILE } from "./unfinished-repair.ts";
