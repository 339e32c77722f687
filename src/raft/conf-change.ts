/**
 * Membership arithmetic: one simple change at a time (thesis 4.1: two majorities of configurations
 * that differ by one voter always overlap, so no joint configuration is needed). Pure: a
 * configuration and a change give the next configuration or a refusal, the same on every member.
 * The log carries changes as opaque data; whoever applies the entry decodes it and hands the change
 * to `RaftMember.applyMembershipChange`.
 *
 * Invariants: no member is in both lists; both lists are ascending; a configuration that had a
 * voter keeps one.
 */
import { assert, unreachable } from "../base/assert.ts";

export interface Configuration {
  readonly voters: readonly bigint[];
  /** Receive the log, count in no majority (thesis 4.2.1). */
  readonly learners: readonly bigint[];
}

export const NO_MEMBERS: Configuration = { voters: [], learners: [] };

/**
 * `add-voter` promotes a learner; `add-learner` demotes a voter; `update` changes nothing raft
 * knows of (a member's URLs). All are idempotent, because a client may repeat what it could not see
 * succeed.
 */
export interface MembershipChange {
  readonly kind: "add-voter" | "add-learner" | "remove" | "update";
  readonly member: bigint;
}

export type ConfigurationRefusal = "no-member-named" | "last-voter";

export function isMember(configuration: Configuration, member: bigint): boolean {
  return isVoter(configuration, member) || configuration.learners.includes(member);
}

export function isVoter(configuration: Configuration, member: bigint): boolean {
  return configuration.voters.includes(member);
}

export function membersOf(configuration: Configuration): bigint[] {
  return [...configuration.voters, ...configuration.learners].sort(ascending);
}

/** Brings a configuration from outside (a snapshot, the applied state) into canonical form. */
export function canonical(configuration: Configuration): Configuration {
  const { voters, learners } = configuration;
  const all = membersOf(configuration);
  for (let i = 0; i < all.length; i++) {
    assert(all[i]! > 0n, `a configuration names member ${all[i]}`);
    assert(i === 0 || all[i - 1] !== all[i], `member ${all[i]} is listed twice`);
  }
  return { voters: [...voters].sort(ascending), learners: [...learners].sort(ascending) };
}

export function changed(
  configuration: Configuration,
  change: MembershipChange,
): Configuration | ConfigurationRefusal {
  const { kind, member } = change;
  if (member === 0n) return "no-member-named";
  const voters = configuration.voters.filter((each) => each !== member);
  const learners = configuration.learners.filter((each) => each !== member);
  switch (kind) {
    case "update":
      return configuration;
    case "add-voter":
      voters.push(member);
      break;
    case "add-learner":
      learners.push(member);
      break;
    case "remove":
      break;
    default:
      return unreachable(kind);
  }
  if (voters.length === 0 && configuration.voters.length > 0) return "last-voter";
  return { voters: voters.sort(ascending), learners: learners.sort(ascending) };
}

function ascending(a: bigint, b: bigint): number {
  return a < b ? -1 : a > b ? 1 : 0;
}
