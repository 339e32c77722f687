/** The columns that the simple and the table format share. */
import type { MemberListResponse } from "../../../api/index.ts";
import { byteSizeText } from "../../output/index.ts";
import type { EndpointHash, EndpointStatus } from "../printer.ts";

export const MEMBER_HEADINGS = ["ID", "STATUS", "NAME", "PEER ADDRS", "CLIENT ADDRS", "IS LEARNER"];

export function memberRows(response: MemberListResponse): string[][] {
  return response.members.map((member) => [
    member.ID.toString(16),
    member.name === "" ? "unstarted" : "started",
    member.name,
    member.peerURLs.join(","),
    member.clientURLs.join(","),
    String(member.isLearner),
  ]);
}

export const STATUS_HEADINGS = [
  "ENDPOINT",
  "ID",
  "VERSION",
  "DB SIZE",
  "IS LEADER",
  "IS LEARNER",
  "RAFT TERM",
  "RAFT INDEX",
  "RAFT APPLIED INDEX",
  "ERRORS",
];

/** The ten columns of etcdctl 3.5: scripts count them. */
export function statusRows(list: readonly EndpointStatus[]): string[][] {
  return list.map(({ endpoint, status }) => [
    endpoint,
    (status.header?.member_id ?? 0n).toString(16),
    status.version,
    byteSizeText(status.dbSize),
    String(status.leader === status.header?.member_id),
    String(status.isLearner),
    String(status.raftTerm),
    String(status.raftIndex),
    String(status.raftAppliedIndex),
    status.errors.join(", "),
  ]);
}

export const HASH_HEADINGS = ["ENDPOINT", "HASH"];

export function hashRows(list: readonly EndpointHash[]): string[][] {
  return list.map(({ endpoint, hash }) => [endpoint, String(hash.hash)]);
}
