// Messages with the fields a test does not care about filled in. Everything is addressed to member
// 1 by default.

import type { Entry } from "../entry.ts";
import type { Append, Heartbeat, Message } from "../message.ts";

interface Place {
  readonly from: number;
  readonly to?: number;
  readonly term: number;
}

function header({ from, to = 1, term }: Place) {
  return { from: BigInt(from), to: BigInt(to), term };
}

const noMark = { commit: 0, commitTerm: 0 };

export function append(
  place: Place & {
    previous?: readonly [index: number, term: number];
    commit?: number;
    entries?: readonly Entry[];
  },
): Append {
  const [previousIndex, previousTerm] = place.previous ?? [0, 0];
  const { commit = 0, entries = [] } = place;
  return { kind: "append", ...header(place), previousIndex, previousTerm, commit, entries };
}

export function heartbeat(
  place: Place & { commit?: number; readRound?: number; tick?: number },
): Heartbeat {
  const { commit = 0, readRound = 0, tick = 0 } = place;
  return { kind: "heartbeat", ...header(place), commit, readRound, tick };
}

export function vote(
  place: Place & { lastIndex?: number; lastTerm?: number; transfer?: boolean },
): Message {
  const { lastIndex = 0, lastTerm = 0, transfer = false } = place;
  return { kind: "vote", ...header(place), ...noMark, lastIndex, lastTerm, transfer };
}

export function preVote(place: Place & { lastIndex?: number; lastTerm?: number }): Message {
  const { lastIndex = 0, lastTerm = 0 } = place;
  return { kind: "pre-vote", ...header(place), ...noMark, lastIndex, lastTerm };
}

export function voteResponse(
  place: Place & { granted: boolean; mark?: readonly [commit: number, commitTerm: number] },
): Message {
  const [commit, commitTerm] = place.mark ?? [0, 0];
  return { kind: "vote-response", ...header(place), commit, commitTerm, granted: place.granted };
}

export function preVoteResponse(place: Place & { granted: boolean }): Message {
  return { kind: "pre-vote-response", ...header(place), ...noMark, granted: place.granted };
}

export function accepted(place: Place & { index: number }): Message {
  return { kind: "append-accepted", ...header(place), index: place.index };
}

export function rejected(
  place: Place & { index: number; hint: readonly [index: number, term: number] },
): Message {
  const [hintIndex, hintTerm] = place.hint;
  return { kind: "append-rejected", ...header(place), index: place.index, hintIndex, hintTerm };
}

export function heartbeatResponse(place: Place & { readRound?: number; tick?: number }): Message {
  const { readRound = 0, tick = 0 } = place;
  return { kind: "heartbeat-response", ...header(place), readRound, tick };
}

/** Only the messages of one kind, with that type. */
export function ofKind<K extends Message["kind"]>(
  messages: readonly Message[],
  kind: K,
): Extract<Message, { kind: K }>[] {
  return messages.filter((each): each is Extract<Message, { kind: K }> => each.kind === kind);
}
