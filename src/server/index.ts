export type { BootstrapOptions, Bootstrapped } from "./bootstrap.ts";
export type { RemoteCluster } from "./existing-cluster.ts";
export { Member } from "./member.ts";
export type { MemberOptions } from "./member-options.ts";
export { sampleOf } from "./member-sample.ts";
export { RemovedMember, StartProblem } from "./start-problem.ts";
