/**
 * What follows from the hashes of several members: pure. Two members are compared only where both hashed the same
 * revision with the same compact revision; there a hash follows from replicated state alone (mvcc/key-value-hash.ts),
 * so any difference is damage. Words and fields of the log lines are etcd's.
 */
import { hexId } from "../cluster/index.ts";
import type { KeyValueHash } from "../mvcc/index.ts";
import type { HashAnswer } from "./hash-messages.ts";
import type { MemberAnswer } from "./member-hashes.ts";

export interface Finding {
  readonly level: "info" | "warn" | "error";
  readonly message: string;
  readonly fields: Readonly<Record<string, unknown>>;
}

export interface Verdict {
  readonly findings: readonly Finding[];
  /** Whose data is damaged; 0n stands for the whole cluster, where nobody can tell whose. */
  readonly accused: readonly bigint[];
}

export interface CompactionVerdict extends Verdict {
  /** Nothing is left to find out from older compactions. */
  readonly isSettled: boolean;
  /** All members have the same hash. */
  readonly isWhole: boolean;
}

const NO_MEMBER = 0n;

/** Before a member serves anybody: how many others have other data. It does not ask who is right. */
export function initialVerdict(
  memberId: bigint,
  own: KeyValueHash,
  answers: readonly MemberAnswer[],
): { findings: Finding[]; mismatches: number } {
  const findings: Finding[] = [];
  let mismatches = 0;
  for (const { member, answer } of answers) {
    const fields = {
      "local-member-id": hexId(memberId),
      "local-member-revision": own.hashRevision,
      "local-member-compact-revision": own.compactRevision,
      "local-member-hash": own.hash,
      "remote-peer-id": hexId(member),
    };
    const warn = (message: string, more: Finding["fields"] = {}) =>
      findings.push({ level: "warn", message, fields: { ...fields, ...more } });
    if (answer === null || answer.kind === "busy") {
      warn("failed hash kv request");
      continue;
    }
    const remote = { "remote-peer-revision": answer.currentRevision };
    if (answer.kind === "future") warn("cannot fetch hash from slow remote peer", remote);
    else if (answer.kind === "compacted") {
      warn("cannot fetch hash from remote peer; local member is behind", remote);
    } else if (!isComparable(own, answer)) {
      warn("found different compact revision values from remote peer", {
        ...remote,
        "remote-peer-compact-revision": compactRevisionOf(answer),
      });
    } else if (answer.hash.hash !== own.hash) {
      mismatches++;
      warn("found different hash values from remote peer", {
        ...remote,
        "remote-peer-compact-revision": answer.hash.compactRevision,
        "remote-peer-hash": answer.hash.hash,
      });
    }
  }
  return { findings, mismatches };
}

/** What the leader's periodic check has: its own hash, its state after a linearizable read, the others' answers. */
export interface PeriodicEvidence {
  readonly leader: bigint;
  readonly own: KeyValueHash;
  /** The leader's second hash, when nothing changed since the first; else null. */
  readonly again: KeyValueHash | null;
  /** After the read: no follower can be beyond these. */
  readonly revision: number;
  readonly compactRevision: number;
  readonly answers: readonly MemberAnswer[];
}

/**
 * As etcd's periodic check, with one difference: where a majority agrees with each other and not with the leader, it
 * is the leader who is accused. etcd always accuses the followers.
 */
export function periodicVerdict(evidence: PeriodicEvidence): Verdict {
  const { leader, own, again, answers } = evidence;
  const findings: Finding[] = [];
  const accused = new Set<bigint>();
  const accuse = (member: bigint, message: string, fields: Finding["fields"]) => {
    findings.push({ level: "warn", message, fields });
    accused.add(member);
  };
  if (again !== null && again.hash !== own.hash) {
    accuse(leader, "found hash mismatch", {
      "revision-1": own.hashRevision,
      "compact-revision-1": own.compactRevision,
      "hash-1": own.hash,
      "revision-2": again.hashRevision,
      "compact-revision-2": again.compactRevision,
      "hash-2": again.hash,
    });
  }
  const groups = new Groups(leader, own.hash);
  let checked = 0;
  for (const { member, answer } of answers) {
    if (answer === null || answer.kind === "busy") continue;
    const compactRevision = compactRevisionOf(answer);
    if (answer.currentRevision > evidence.revision) {
      accuse(member, "revision from follower must be less than or equal to leader's", {
        "leader-revision": evidence.revision,
        "follower-revision": answer.currentRevision,
        "follower-peer-id": hexId(member),
      });
    }
    if (compactRevision > evidence.compactRevision) {
      accuse(member, "compact revision from follower must be less than or equal to leader's", {
        "leader-compact-revision": evidence.compactRevision,
        "follower-compact-revision": compactRevision,
        "follower-peer-id": hexId(member),
      });
    }
    if (!isComparable(own, answer)) continue;
    const { hash } = answer.hash;
    groups.add(member, hash);
    checked++;
    if (hash === own.hash) continue;
    findings.push({
      level: "warn",
      message: "same compact revision then hashes must match",
      fields: {
        "leader-compact-revision": own.compactRevision,
        "leader-hash": own.hash,
        "follower-compact-revision": compactRevision,
        "follower-hash": hash,
        "follower-peer-id": hexId(member),
      },
    });
  }
  const minority = groups.outsideMajority(answers.length + 1) ?? groups.notOf(own.hash);
  for (const member of minority) accused.add(member);
  findings.push({
    level: "info",
    message: "finished peer corruption check",
    fields: { "number-of-peers-checked": checked },
  });
  return { findings, accused: [...accused] };
}

/** Compares the hash that a compaction left with those of the others. */
export function compactionVerdict(
  leader: bigint,
  own: KeyValueHash,
  answers: readonly MemberAnswer[],
): CompactionVerdict {
  const findings: Finding[] = [];
  const groups = new Groups(leader, own.hash);
  const count = { "number-of-peers": answers.length };
  const fields = { ...count, "leader-id": hexId(leader), "leader-revision": own.hashRevision };
  let checked = 0;
  for (const { member, answer } of answers) {
    if (answer !== null && isComparable(own, answer)) {
      checked++;
      groups.add(member, answer.hash.hash);
      continue;
    }
    const skipped = { ...fields, "peer-id": hexId(member), reason: whySkipped(own, answer) };
    findings.push({ level: "warn", message: "Skipped peer's hash", fields: skipped });
  }
  if (groups.count === 1) {
    const isWhole = checked === answers.length;
    const extent = isWhole ? "whole" : "partial";
    findings.push({
      level: isWhole ? "info" : "warn",
      message: `successfully checked hash on ${extent} cluster`,
      fields: { ...count, "number-of-peers-checked": checked, revision: own.hashRevision },
    });
    return { findings, accused: [], isSettled: isWhole, isWhole };
  }
  const minority = groups.outsideMajority(answers.length + 1);
  if (minority === null) {
    findings.push({
      level: "error",
      message:
        "Detected compaction hash mismatch but cannot identify the corrupted members, so intentionally set the " +
        "memberID as 0",
      fields,
    });
  }
  for (const [hash, members] of groups.entries()) {
    if (minority !== null && !members.some((member) => minority.includes(member))) continue;
    findings.push({
      level: "error",
      message: "Detected compaction hash mismatch",
      fields: {
        ...fields,
        "leader-compact-revision": own.compactRevision,
        "leader-hash": own.hash,
        "peer-id": members.map(hexId).join(),
        "peer-hash": hash,
      },
    });
  }
  return { findings, accused: minority ?? [NO_MEMBER], isSettled: true, isWhole: false };
}

function whySkipped(own: KeyValueHash, answer: HashAnswer | null): string {
  if (answer === null || answer.kind === "busy") return "no response";
  if (answer.kind === "compacted" || answer.kind === "future") return `${answer.kind} revision`;
  return (
    `the peer's CompactRevision ${compactRevisionOf(answer)} doesn't match leader's ` +
    `CompactRevision ${own.compactRevision}`
  );
}

/** -1 where the answer does not tell. */
function compactRevisionOf(answer: HashAnswer): number {
  if (answer.kind === "hash") return answer.hash.compactRevision;
  return answer.kind === "other-compaction" ? answer.compactRevision : -1;
}

/** Whether it is a hash of the very same two revisions. */
function isComparable(
  own: KeyValueHash,
  answer: HashAnswer,
): answer is Extract<HashAnswer, { kind: "hash" }> {
  if (answer.kind !== "hash") return false;
  const { hashRevision, compactRevision } = answer.hash;
  return hashRevision === own.hashRevision && compactRevision === own.compactRevision;
}

/** Members by what they hashed. */
class Groups {
  readonly #members = new Map<number, bigint[]>();

  constructor(leader: bigint, hash: number) {
    this.#members.set(hash, [leader]);
  }

  add(member: bigint, hash: number): void {
    const same = this.#members.get(hash);
    if (same === undefined) this.#members.set(hash, [member]);
    else same.push(member);
  }

  get count(): number {
    return this.#members.size;
  }

  entries(): [number, bigint[]][] {
    return [...this.#members];
  }

  notOf(hash: number): bigint[] {
    return this.entries().flatMap(([each, members]) => (each === hash ? [] : members));
  }

  /** Everybody but the majority of all members that agrees; null when there is none. */
  outsideMajority(memberCount: number): bigint[] | null {
    const quorum = Math.floor(memberCount / 2) + 1;
    for (const [hash, members] of this.#members) {
      if (members.length >= quorum) return this.notOf(hash);
    }
    return null;
  }
}
