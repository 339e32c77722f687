export { type BootstrapOptions, StartProblem } from "./bootstrap.ts";
export { Member } from "./member.ts";
export type { MemberOptions } from "./member-options.ts";
export { sampleOf } from "./member-sample.ts";
