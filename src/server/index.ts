export { type BootstrapOptions, StartProblem } from "./bootstrap.ts";
export { Member, type MemberOptions } from "./member.ts";
export { sampleOf } from "./member-sample.ts";
