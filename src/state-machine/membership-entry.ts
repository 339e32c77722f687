/**
 * What the log carries for a change of the cluster's members, as CBOR: a positional array, unsigned numbers unless
 * said otherwise. The server writes it (bootstrap, the cluster service), the state machine reads it.
 *
 * | position | meaning |
 * |---|---|
 * | 0 | change: 1 add-voter, 2 add-learner, 3 promote, 4 remove, 5 update |
 * | 1 | origin: number of the member whose client waits |
 * | 2 | request id; 0: nobody waits |
 * | 3 | member id, a big integer of 64 bits |
 * | 4 | peer URLs, an array of texts; add and update |
 * | 5 | name, a text; empty before the member told it (command memberAttributesSet) |
 * | 6 | client URLs, an array of texts |
 * | 7 | learners allowed; add-learner. The proposer's setting travels, so that all members decide alike |
 *
 * Logs of earlier versions hold a member's JSON instead (its first byte is a brace): it adds a voter.
 */
import { assert } from "../base/assert.ts";
import { utf8Text } from "../base/bytes.ts";
import { CborError, type CborValue, decodeCbor, encodeCbor } from "../base/cbor.ts";
import { decodeMember, type Member } from "../cluster/index.ts";

const CHANGES = ["add-voter", "add-learner", "promote", "remove", "update"] as const;

export type MemberChange = (typeof CHANGES)[number];

export interface MembershipEntry {
  readonly change: MemberChange;
  /** Promote and remove use its id alone, update the id and the peer URLs. */
  readonly member: Member;
  readonly learnersMax: number;
  readonly origin: number;
  /** 0: nobody waits. */
  readonly requestId: number;
}

/** URLs one member may advertise, and how long one may be: generous, so that an entry stays small. */
export const MEMBER_URLS_MAX = 64;
export const MEMBER_URL_LENGTH_MAX = 2048;
const NAME_LENGTH_MAX = 4096;

const FIELDS = 8;
const OPENING_BRACE = 0x7b;

export function encodeMembershipEntry(entry: MembershipEntry): Uint8Array {
  const { change, member, learnersMax, origin, requestId } = entry;
  assert(member.id > 0n && areUrls(member.peerUrls), "a membership entry names a member");
  assert(areUrls(member.clientUrls) && isName(member.name), "a member's attributes are bounded");
  assert([learnersMax, origin, requestId].every(isCount), "numbers of a membership entry are safe");
  return encodeCbor([
    CHANGES.indexOf(change) + 1,
    origin,
    requestId,
    member.id,
    member.peerUrls,
    member.name,
    member.clientUrls,
    learnersMax,
  ]);
}

/** Null when the bytes are not an entry: damage, or a newer version's log. */
export function decodeMembershipEntry(bytes: Uint8Array): MembershipEntry | null {
  if (bytes[0] === OPENING_BRACE) return decodeEarlierForm(bytes);
  const fields = decodeFields(bytes);
  if (fields === null || fields.length !== FIELDS) return null;
  const [code, origin, requestId, id, peerUrls, name, clientUrls, learnersMax] = fields;
  const change = CHANGES[Number(code) - 1];
  if (change === undefined || typeof code !== "number") return null;
  if (!isCount(origin) || !isCount(requestId) || !isCount(learnersMax)) return null;
  if (typeof id !== "bigint" || id <= 0n || id >= 1n << 64n) return null;
  if (!areUrls(peerUrls) || !isName(name) || !areUrls(clientUrls)) return null;
  const isLearner = change === "add-learner";
  const member = { id, peerUrls, name, clientUrls, isLearner };
  return { change, member, learnersMax, origin, requestId };
}

function decodeFields(bytes: Uint8Array): readonly CborValue[] | null {
  try {
    const value = decodeCbor(bytes);
    return Array.isArray(value) ? value : null;
  } catch (error) {
    if (error instanceof CborError) return null;
    throw error;
  }
}

function decodeEarlierForm(bytes: Uint8Array): MembershipEntry | null {
  const member = decodeMember(utf8Text(bytes));
  if (member === undefined) return null;
  return { change: "add-voter", member, learnersMax: 0, origin: 0, requestId: 0 };
}

function isCount(value: CborValue | undefined): value is number {
  return typeof value === "number" && Number.isSafeInteger(value) && value >= 0;
}

function isName(value: CborValue | undefined): value is string {
  return typeof value === "string" && value.length <= NAME_LENGTH_MAX;
}

function areUrls(value: CborValue | undefined): value is readonly string[] {
  if (!Array.isArray(value) || value.length > MEMBER_URLS_MAX) return false;
  return value.every((url) => typeof url === "string" && url.length <= MEMBER_URL_LENGTH_MAX);
}
