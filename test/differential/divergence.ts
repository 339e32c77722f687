// Every difference from the real etcd 3.5 that is kept on purpose. A difference that is not in this
// table fails the differential test; docs/divergence.md lists the same entries with the same reasons
// (divergence.test.ts compares them).

import { clusterDivergences } from "./cluster-divergences.ts";
import { orderOf } from "./http-client.ts";
import type { Json, JsonObject } from "./plain.ts";
import type { Step } from "./trace.ts";

export interface Divergence {
  /** Heading in docs/divergence.md. */
  readonly id: string;
  /** What etcd 3.5 does, what cairn does, why: the three lines of the document. */
  readonly etcd: string;
  readonly cairn: string;
  readonly reason: string;
  /** Turns what etcd answered into what cairn must answer; absent when no step of a case shows it. */
  readonly expect?: (step: Step, cairn: Step) => Json | undefined;
}

export const divergences: readonly Divergence[] = [
  {
    id: "api-level",
    etcd: "Reports version 3.5.x in Status, /version and the metrics.",
    cairn: "Reports 3.7.x there, and its own version in the field `cairn` of /version.",
    reason: "cairn implements the API of etcd 3.7, and clients switch features on by this text.",
    expect: expectLevel,
  },
  {
    id: "status-fields",
    etcd: "Status has no storageVersion, dbSizeQuota and downgradeInfo.",
    cairn: "Status has them, as etcd 3.6 and later.",
    reason: "API level 3.7.",
    expect: expectStatusFields,
  },
  {
    id: "hash-revision",
    etcd: "HashKV has no hash_revision.",
    cairn: "HashKV says at which revision the hash was taken, as etcd 3.6 and later.",
    reason: "API level 3.7.",
    expect: expectHashRevision,
  },
  {
    id: "keys-only-lease",
    etcd: "A range with keys_only keeps the lease of each key.",
    cairn: "It leaves the lease out, unless sorted by value, as etcd 3.7.",
    reason: "The answer comes from the index, which does not hold leases.",
    expect: expectKeysOnly,
  },
  {
    id: "http2-without-grpc",
    etcd: "On a port without TLS, HTTP/2 carries gRPC only; other content types get 415.",
    cairn: "Serves the JSON gateway and the pages over HTTP/2 too, as etcd does with TLS.",
    reason: "One behaviour for both kinds of port.",
    expect: expectPagesOverHttp2,
  },
  {
    id: "gzip-answers",
    etcd: "Compresses the answer to a client that sent its request with grpc-encoding gzip.",
    cairn: "Takes such requests, answers without compression.",
    reason:
      "Compression costs more time than a loopback or a data centre saves; clients take both.",
    expect: expectPlainAnswer,
  },
  {
    id: "message-decoder",
    etcd: "Refuses a field of a wrong wire type, with the words of its generated code.",
    cairn:
      "Passes over a known field of a wrong wire type as over an unknown one, like etcd 3.7; " +
      "its words for other broken messages are its own. The code is the same.",
    reason: "etcd 3.7 uses another protobuf library, and nobody matches on a decoder's words.",
    expect: expectOwnDecoder,
  },
  {
    id: "binary-metadata",
    etcd: "Refuses a call with metadata `…-bin` that is not base64.",
    cairn: "Does not look at metadata that it does not use.",
    reason: "Nothing on the server reads binary metadata.",
  },
  {
    id: "hash-after-compaction-at-0",
    etcd: "After a compaction at revision 0, HashKV without a revision gives the hash kept from it.",
    cairn: "HashKV without a revision always hashes the current one.",
    reason: "What etcd gives is the hash of nothing; members would look equal that are not.",
  },
  {
    id: "hash-where-nothing-lives",
    etcd:
      "After a compaction, HashKV at a revision where no key lives takes in all older rows that are " +
      "still in the file.",
    cairn: "Takes in none of them, as at every other revision.",
    reason:
      "What is still in the file depends on how far a member has swept: members that are equal " +
      "would look different, and raise the alarm CORRUPT.",
  },
  {
    id: "corruption-check-majority",
    etcd: "The periodic corruption check accuses the first follower that differs from the leader.",
    cairn: "It accuses everybody outside a majority that agrees, the leader too; else as etcd.",
    reason: "A leader with damaged data would have all healthy members replaced.",
  },
  {
    id: "range-stream",
    etcd: "Has no KV.RangeStream.",
    cairn: "Has it, as etcd 3.7; its parts make the answer of Range.",
    reason: "API level 3.7.",
  },
  {
    id: "v3alpha",
    etcd: "The prefix /v3alpha of the JSON gateway is gone.",
    cairn: "Answers /v3alpha like /v3.",
    reason: "Old clients still use it, and it costs nothing.",
  },
  {
    id: "json-parser-texts",
    etcd: "The message for a body that is no valid JSON or has a field of a wrong type is Go's.",
    cairn: "Same HTTP status and code 3; the message is cairn's own.",
    reason: "Nobody matches on a parser's words and positions.",
    expect: expectOwnParserText,
  },
  {
    id: "invalid-sort-option",
    etcd: "Takes an unknown sort_order for ascending, and crashes on an unknown sort_target.",
    cairn: "Refuses both with InvalidArgument `etcdserver: invalid sort option`.",
    reason: "etcd answers so since 3.6, and no request may end a server.",
  },
  {
    id: "empty-range-end",
    etcd: "A range_end that is on the wire with no bytes in it means all keys from `key` on.",
    cairn: "It means the same as no range_end: the one key.",
    reason:
      "In proto3 an empty field and an absent one are the same message; clients that write out " +
      "empty fields would read everything after a key.",
  },
  {
    id: "watch-id-range",
    etcd: "A client may choose any watch id of 64 bits.",
    cairn:
      "Refuses ids beyond 2^53 in the create response: created, canceled, watch_id -1, a reason.",
    reason: "Ids are numbers in the hot path of events; beyond 2^53 two of them would be one.",
    expect: expectWatchIdRefused,
  },
  {
    id: "quota-counts-live-bytes",
    etcd: "The quota is compared with the size of the database file, which only defrag makes smaller.",
    cairn: "It is compared with the bytes in use; free pages are used again first.",
    reason: "After deleting and compacting an operator can write again without a defragmentation.",
  },
  {
    id: "no-space-before-apply-only",
    etcd: "A write may answer `database space exceeded` although it was applied (a second check).",
    cairn: "Asks before a write is proposed; what was proposed is applied.",
    reason:
      "An error must not mean success, and applying must not depend on the size of a local file.",
  },
  {
    id: "defragment-while-serving",
    etcd: "Defragment blocks the member until the file is rewritten.",
    cairn: "Moves pages down in slices beside all other work, then answers.",
    reason: "A member that stops for seconds loses its clients and its leadership.",
  },
  {
    id: "watch-catch-up-batches",
    etcd: "A watcher that catches up gets up to 1000 of its own revisions in one response.",
    cairn:
      "A batch ends after 1000 revisions of the store or about 4 MiB: more and smaller responses.",
    reason: "Reading history for one watcher must not hold up the others or fill the memory.",
  },
  {
    id: "watchers-per-stream",
    etcd: "A stream may carry any number of watchers.",
    cairn: "100,000; above that the create is refused with `etcdserver: too many requests`.",
    reason: "Every list that a client makes grow has a bound.",
  },
  {
    id: "json-nesting",
    etcd: "The JSON gateway takes objects nested 10,000 deep.",
    cairn: "140; gRPC messages 100.",
    reason: "What is accepted must be decodable from the log later, with a bounded stack.",
  },
  {
    id: "put-after-open-delete",
    etcd:
      "A txn that deletes [key, \\0) and then puts a deleted key with ignore_value or ignore_lease " +
      "passes the checks, ends the server while it is applied, and again at every restart. Without " +
      "those options the put is lost by a compaction at that revision, and a read of it ends the server.",
    cairn:
      "Refuses the first with InvalidArgument `etcdserver: key not found`, changing nothing; keeps " +
      "the put of the second.",
    reason: "No request may end a server, and no acknowledged write may be lost.",
  },
  {
    id: "member-update-learner",
    etcd: "MemberUpdate of a learner makes it look like a voter in member lists.",
    cairn: "It stays a learner, as in etcd 3.6 and later.",
    reason: "It has no vote before it is promoted.",
    expect: expectStillLearner,
  },
  {
    id: "member-update-urls",
    etcd: "MemberUpdate takes any texts as URLs, also none; the other members end when they apply them.",
    cairn: "Refuses what MemberAdd refuses: `etcdserver: given member URLs are invalid`.",
    reason: "No request may end a server.",
  },
  ...clusterDivergences,
];

const versionPattern = /^3\.7\.\d+$/;
const statusCalls = new Set(["Maintenance/Status", "POST /v3/maintenance/status"]);

/** etcd's 3.5 becomes the 3.7 that cairn says, if it says one. */
function expectLevel(step: Step, cairn: Step): Json | undefined {
  if (statusCalls.has(step.call)) {
    const said = fieldsOf(cairn.answer)?.version;
    const version = versionPattern.test(String(said)) ? said! : "3.7.x";
    return withFields(step.answer, (fields) => ({ ...fields, version }));
  }
  if (step.call !== "GET /version") return undefined;
  const seen = fieldsOf(cairn.answer);
  const etcdserver = versionPattern.test(String(seen?.etcdserver)) ? seen!.etcdserver! : "3.7.x";
  const own = typeof seen?.cairn === "string" ? seen.cairn : "a version";
  const version = { etcdserver, etcdcluster: "3.7.0", storage: "3.7.0", cairn: own };
  return withFields(step.answer, () => version);
}

function expectStatusFields(step: Step): Json | undefined {
  if (!statusCalls.has(step.call)) return undefined;
  const added = { storageVersion: "3.7.0", dbSizeQuota: "2147483648", downgradeInfo: {} };
  return withFields(step.answer, (fields) => ({ ...fields, ...added }));
}

/** The fields of a good answer, over gRPC or JSON. */
function fieldsOf(answer: Json): JsonObject | null {
  return okOf(answer) ?? jsonLineOf(answer);
}

/** The same answer with other fields; the order of a JSON body follows them. */
function withFields(answer: Json, change: (fields: JsonObject) => JsonObject): Json | undefined {
  const ok = okOf(answer);
  if (ok !== null) return { ok: change(ok) };
  const line = jsonLineOf(answer);
  if (line === null) return undefined;
  const value = change(line);
  const body = (answer as JsonObject).body as JsonObject;
  return { ...(answer as JsonObject), body: { ...body, json: [{ value, order: orderOf(value) }] } };
}

/** The numbers that both sides of a 64-bit id can hold exactly. */
function expectWatchIdRefused(step: Step): Json | undefined {
  if (step.call !== "watch create" || !isObject(step.request) || !isObject(step.answer)) {
    return undefined;
  }
  const asked = Number(step.request.watch_id ?? 0);
  if (Number.isSafeInteger(asked)) return undefined;
  const cancel_reason = "mvcc: watch ID beyond 2^53 is not supported";
  return { ...step.answer, watch_id: "-1", created: true, canceled: true, cancel_reason };
}

function expectStillLearner(step: Step, cairn: Step): Json | undefined {
  if (step.call !== "Cluster/MemberUpdate") return undefined;
  const ID = (step.request as JsonObject).ID;
  const learners = membersOf(cairn.answer).filter((each) => each.isLearner === true);
  if (!learners.some((each) => each.ID === ID)) return undefined;
  const members = membersOf(step.answer).map((each) =>
    each.ID === ID ? { ...each, isLearner: true } : each,
  );
  return { ok: { ...((step.answer as JsonObject).ok as JsonObject), members } };
}

function membersOf(answer: Json): JsonObject[] {
  const response = (answer as JsonObject).ok as JsonObject | undefined;
  return (response?.members ?? []) as JsonObject[];
}

function expectHashRevision(step: Step): Json | undefined {
  const answer = okOf(step.answer);
  if (step.call !== "Maintenance/HashKV" || answer === null) return undefined;
  const asked = isObject(step.request) ? step.request.revision : undefined;
  const current = isObject(answer.header) ? answer.header.revision : undefined;
  const isCurrent = asked === undefined || asked === "0" || String(asked).startsWith("-");
  return { ok: { ...answer, hash_revision: (isCurrent ? current : asked) ?? null } };
}

const goParserTexts = /^(proto: |unexpected EOF|EOF|invalid character|json: )/;

function expectOwnParserText(step: Step, cairn: Step): Json | undefined {
  const error = jsonErrorOf(step.answer);
  const seen = jsonErrorOf(cairn.answer);
  if (error === null || seen === null || !goParserTexts.test(String(error.message))) {
    return undefined;
  }
  const same = error.code === seen.code && Object.keys(seen).join() === "code,message";
  const sameStatus = (step.answer as JsonObject).status === (cairn.answer as JsonObject).status;
  return same && sameStatus && String(seen.message) !== "" ? cairn.answer : undefined;
}

/** The object in the body of an error of the JSON gateway. */
function jsonErrorOf(answer: Json): JsonObject | null {
  const value = jsonLineOf(answer);
  return value !== null && "message" in value ? value : null;
}

/** The first object in a JSON body. */
function jsonLineOf(answer: Json): JsonObject | null {
  if (!isObject(answer) || !isObject(answer.body) || !Array.isArray(answer.body.json)) return null;
  const line = answer.body.json[0];
  return isObject(line) && isObject(line.value) ? line.value : null;
}

/** Follows a request and its answer down to the ranges in nested txns. */
function expectKeysOnly(step: Step): Json | undefined {
  const ok = okOf(step.answer);
  if (ok === null || !isObject(step.request)) return undefined;
  if (step.call === "KV/Range") return { ok: withoutLeases(step.request, ok) };
  if (step.call === "KV/Txn") return { ok: txnWithoutLeases(step.request, ok) };
  return undefined;
}

function withoutLeases(request: JsonObject, answer: JsonObject): JsonObject {
  if (request.keys_only !== true || request.sort_target === "VALUE") return answer;
  if (!Array.isArray(answer.kvs)) return answer;
  return { ...answer, kvs: answer.kvs.map((pair) => without(pair as JsonObject, "lease")) };
}

function txnWithoutLeases(request: JsonObject, answer: JsonObject): JsonObject {
  if (!Array.isArray(answer.responses)) return answer;
  const branch = answer.succeeded === true ? request.success : request.failure;
  const responses = answer.responses.map((response, index) => {
    const operation = Array.isArray(branch) ? branch[index] : undefined;
    if (!isObject(response) || !isObject(operation)) return response;
    const { response_range, response_txn } = response;
    if (isObject(response_range) && isObject(operation.request_range)) {
      return { response_range: withoutLeases(operation.request_range, response_range) };
    }
    if (isObject(response_txn) && isObject(operation.request_txn)) {
      return { response_txn: txnWithoutLeases(operation.request_txn, response_txn) };
    }
    return response;
  });
  return { ...answer, responses };
}

function without(fields: JsonObject, name: string): JsonObject {
  return Object.fromEntries(Object.entries(fields).filter(([each]) => each !== name));
}

function expectPagesOverHttp2(step: Step, cairn: Step): Json | undefined {
  const status = rawHeader(step.answer, ":status");
  const isPage = !String(rawHeader(cairn.answer, "content-type")).startsWith("application/grpc");
  return step.call.startsWith("h2 ") && status === 415 && isPage ? cairn.answer : undefined;
}

function expectPlainAnswer(step: Step): Json | undefined {
  if (rawHeader(step.answer, "grpc-encoding") !== "gzip") return undefined;
  const answer = step.answer as JsonObject;
  const data = String(answer.data).replace(/^01/, "00");
  return { ...answer, data, headers: without(answer.headers as JsonObject, "grpc-encoding") };
}

const decoderTexts = /^grpc: (?:error unmarshalling request|failed to unmarshal the received)/;

function expectOwnDecoder(step: Step, cairn: Step): Json | undefined {
  if (!step.call.startsWith("h2 ") || !isObject(step.answer)) return undefined;
  const { trailers } = step.answer;
  if (!isObject(trailers) || !decoderTexts.test(String(trailers["grpc-message"]))) return undefined;
  const seen = isObject(cairn.answer) ? cairn.answer.trailers : undefined;
  if (!isObject(seen)) return undefined;
  const sameRefusal =
    seen["grpc-status"] === trailers["grpc-status"] &&
    decoderTexts.test(String(seen["grpc-message"]));
  const passedOver = String(trailers["grpc-message"]).includes("wrong wireType");
  return sameRefusal || (passedOver && seen["grpc-status"] === "0") ? cairn.answer : undefined;
}

function rawHeader(answer: Json, name: string): Json | undefined {
  return isObject(answer) && isObject(answer.headers) ? answer.headers[name] : undefined;
}

function okOf(answer: Json): JsonObject | null {
  return isObject(answer) && isObject(answer.ok) ? answer.ok : null;
}

/** A case that names a divergence which is not in the table is itself wrong. */
export function requireDivergence(id: string): void {
  if (!divergences.some((each) => each.id === id)) throw new Error(`no divergence ${id}`);
}

/** What cairn must answer where etcd answered `step`. */
export function expectedOf(step: Step, cairn: Step): Json {
  let answer = step.answer;
  for (const divergence of divergences) {
    const changed = divergence.expect?.({ ...step, answer }, cairn);
    if (changed !== undefined) answer = changed;
  }
  return answer;
}

export function isObject(value: Json | undefined): value is JsonObject {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
