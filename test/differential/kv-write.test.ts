// Put, DeleteRange and Compact with every option, and what they leave to read.

import { type Cases, differentialArea } from "./harness.ts";
import { okOf, type Side } from "./side.ts";

const noSuchLease = "1311768467294899695";

async function grantLease(side: Side): Promise<string> {
  return String(okOf(await side.call("Lease", "LeaseGrant", { TTL: 600 })).ID);
}

function everything(side: Side): { key: string; range_end: string } {
  return { key: side.prefix, range_end: `${side.prefix.slice(0, -1)}0` };
}

const putCases: Cases = {
  "put creates, changes, keeps count of versions": async (side) => {
    const key = side.key("a");
    for (const value of ["1", "2", "2", "", "3"]) await side.put(key, value);
    await side.range({ key });
    await side.remove({ key });
    await side.put(key, "again");
    await side.range({ key });
  },
  "put without a key": async (side) => {
    await side.put("", "value");
    await side.call("KV", "Put", {});
    await side.call("KV", "Put", { value: "v", ignore_value: true });
    await side.call("KV", "Put", { lease: noSuchLease });
  },
  prev_kv: async (side) => {
    await side.put(side.key("a"), "1", { prev_kv: true });
    await side.put(side.key("a"), "2", { prev_kv: true });
    await side.remove({ key: side.key("a") });
    await side.put(side.key("a"), "3", { prev_kv: true });
    await side.put(side.key("a"), "", { prev_kv: true });
    await side.put(side.key("a"), "4", { prev_kv: true });
  },
  ignore_value: async (side) => {
    await side.put(side.key("a"), "", { ignore_value: true });
    await side.put(side.key("a"), "1");
    await side.put(side.key("a"), "2", { ignore_value: true });
    await side.put(side.key("a"), "", { ignore_value: true });
    await side.put(side.key("a"), "", { ignore_value: true, prev_kv: true });
    await side.range({ key: side.key("a") });
    await side.put("", "v", { ignore_value: true });
    await side.remove({ key: side.key("a") });
    await side.put(side.key("a"), "", { ignore_value: true });
  },
  ignore_lease: async (side) => {
    const lease = await grantLease(side);
    await side.put(side.key("a"), "1", { ignore_lease: true });
    await side.put(side.key("a"), "1", { lease });
    await side.put(side.key("a"), "2", { ignore_lease: true });
    await side.range({ key: side.key("a") });
    await side.put(side.key("a"), "3", { ignore_lease: true, lease });
    await side.put(side.key("a"), "", { ignore_lease: true, ignore_value: true });
    await side.range({ key: side.key("a") });
    await side.put(side.key("a"), "4");
    await side.range({ key: side.key("a") });
    await side.put(side.key("a"), "5", { ignore_lease: true, prev_kv: true });
    await side.call("Lease", "LeaseTimeToLive", { ID: lease, keys: true });
  },
  "leases of keys": async (side) => {
    const first = await grantLease(side);
    const second = await grantLease(side);
    await side.put(side.key("a"), "1", { lease: noSuchLease });
    await side.put(side.key("a"), "1", { lease: -1 });
    await side.range({ key: side.key("a") });
    await side.put(side.key("a"), "1", { lease: first, prev_kv: true });
    await side.put(side.key("a"), "2", { lease: second, prev_kv: true });
    await side.call("Lease", "LeaseTimeToLive", { ID: first, keys: true });
    await side.call("Lease", "LeaseTimeToLive", { ID: second, keys: true });
    await side.put(side.key("a"), "3", { prev_kv: true });
    await side.call("Lease", "LeaseTimeToLive", { ID: second, keys: true });
    await side.call("Lease", "LeaseRevoke", { ID: second });
    await side.range({ key: side.key("a") });
  },
  "an error changes nothing": async (side) => {
    await side.put(side.key("a"), "1", { lease: noSuchLease });
    await side.put(side.key("b"), "", { ignore_value: true });
    await side.range(everything(side));
    await side.put(side.key("a"), "1");
  },
};

const deleteCases: Cases = {
  "delete one key, twice, none": async (side) => {
    await side.put(side.key("a"), "1");
    await side.remove({ key: side.key("a") });
    await side.remove({ key: side.key("a") });
    await side.remove({ key: side.key("never") });
    await side.remove({ key: side.key("never"), prev_kv: true });
    await side.put(side.key("b"), "next revision");
  },
  "delete without a key": async (side) => {
    await side.remove({});
    await side.remove({ range_end: "\0" });
    await side.remove({ key: "" });
  },
  "delete ranges": async (side) => {
    for (const name of ["a", "b", "c", "d", "e"]) await side.put(side.key(name), name);
    await side.remove({ key: side.key("c"), range_end: side.key("b") });
    await side.remove({ key: side.key("c"), range_end: side.key("c") });
    await side.remove({ key: side.key("b"), range_end: side.key("d"), prev_kv: true });
    await side.range(everything(side));
    await side.remove({ ...everything(side), prev_kv: true });
    await side.remove({ ...everything(side), prev_kv: true });
    await side.range({ ...everything(side), revision: side.base + 6 });
    await side.range({ ...everything(side), revision: side.base + 5 });
  },
  "delete from a key on": async (side) => {
    await side.put("\xfe\xfe/a", "1");
    await side.put("\xfe\xfe/b", "2");
    await side.remove({ key: "\xfe\xfe/a\0", range_end: "\0", prev_kv: true });
    await side.remove({ key: "\xfe\xfe", range_end: "\0", prev_kv: true });
  },
  "delete detaches from the lease": async (side) => {
    const lease = await grantLease(side);
    await side.put(side.key("a"), "1", { lease });
    await side.put(side.key("b"), "2", { lease });
    await side.remove({ key: side.key("a"), prev_kv: true });
    await side.call("Lease", "LeaseTimeToLive", { ID: lease, keys: true });
    await side.put(side.key("a"), "3");
    await side.call("Lease", "LeaseRevoke", { ID: lease });
    await side.range(everything(side));
  },
};

const compactCases: Cases = {
  "compact: refused revisions": async (side) => {
    await side.call("KV", "Compact", { revision: side.base + 1 });
    await side.call("KV", "Compact", { revision: side.base + 1, physical: true });
    await side.call("KV", "Compact", { revision: "9223372036854775807" });
  },
  "compact: reads below, at and above": async (side) => {
    for (const value of ["1", "2", "3", "4"]) await side.put(side.key("a"), value);
    await side.call("KV", "Compact", { revision: side.base + 2, physical: true });
    for (const distance of [0, 1, 2, 3, 4]) {
      await side.range({ key: side.key("a"), revision: side.base + distance });
      await side.range({ key: side.key("a"), revision: side.base + distance, count_only: true });
    }
    await side.range({ key: side.key("a"), revision: -1 });
    await side.call("KV", "Compact", { revision: side.base + 2 });
    await side.call("KV", "Compact", { revision: side.base + 1 });
    await side.call("Maintenance", "HashKV", { revision: side.base + 1 });
    await side.call("Maintenance", "HashKV", { revision: side.base + 2 });
  },
  "compact: at the current revision": async (side) => {
    await side.put(side.key("a"), "1");
    await side.put(side.key("b"), "1");
    await side.remove({ key: side.key("a") });
    await side.call("KV", "Compact", { revision: side.base + 3, physical: true });
    await side.range(everything(side));
    await side.range({ ...everything(side), revision: side.base + 3 });
    await side.range({ ...everything(side), revision: side.base + 2 });
    await side.put(side.key("a"), "back", { prev_kv: true });
    await side.range({ key: side.key("a") });
    await side.call("Maintenance", "HashKV", {});
  },
  "compact: tombstone at the compacted revision, then versions start again": async (side) => {
    await side.put(side.key("a"), "1");
    await side.remove({ key: side.key("a") });
    await side.put(side.key("a"), "2");
    await side.call("KV", "Compact", { revision: side.base + 2, physical: true });
    await side.range({ key: side.key("a"), revision: side.base + 2 });
    await side.range({ key: side.key("a"), revision: side.base + 3 });
    await side.put(side.key("a"), "3");
    await side.range({ key: side.key("a") });
    await side.call("Maintenance", "HashKV", {});
  },
  "compact: without physical": async (side) => {
    for (const value of ["1", "2", "3"]) await side.put(side.key("a"), value);
    await side.call("KV", "Compact", { revision: side.base + 2 });
    await side.range({ key: side.key("a"), revision: side.base + 1 });
    await side.range({ key: side.key("a"), revision: side.base + 2 });
    await side.range({ key: side.key("a") });
  },
};

/** Apart: a store that was compacted at 0 keeps a hash for "revision 0". */
const compactZeroCases: Cases = {
  "compact: revision 0 once, then refused; negative": async (side) => {
    await side.call("KV", "Compact", {});
    await side.call("KV", "Compact", { revision: 0 });
    await side.call("KV", "Compact", { revision: -1 });
    await side.call("KV", "Compact", { revision: 0, physical: true });
  },
  "compact: the hash of now after a compaction at 0": async (side) => {
    await side.put(side.key("a"), "1");
    const revision = side.base + 1;
    const now = await side.quiet("Maintenance", "HashKV", { revision });
    const answer = { ok: { ...okOf(now), hash_revision: String(revision) } };
    await side.diverging("hash-after-compaction-at-0", "Maintenance", "HashKV", {}, answer);
  },
};

differentialArea("kv-write", { ...putCases, ...deleteCases });
differentialArea("kv-compact", compactCases);
differentialArea("kv-compact-zero", compactZeroCases);

/** Deleted and put again in one revision, which is then compacted: only cairn is asked. */
const sameRevisionCases: Cases = {
  "compact: a put after an open-ended delete in the same txn survives": async (side) => {
    await side.put(side.key("a"), "1");
    const success = [
      { request_delete_range: { key: side.key("a"), range_end: "\0" } },
      { request_put: { key: side.key("a"), value: "2" } },
    ];
    await side.txn({ success });
    const revision = side.base + 2;
    const kvs = [
      { key: side.key("a"), create_revision: `${revision}`, mod_revision: `${revision}` },
    ];
    const { clusterId, memberId } = side.identity;
    const header = { cluster_id: clusterId, member_id: memberId, revision: `${revision}` };
    const term = { raft_term: "2" };
    const compacted = { ok: { header: { ...header, ...term } } };
    const request = { revision, physical: true };
    await side.diverging("put-after-open-delete", "KV", "Compact", request, compacted);
    const pair = { ...kvs[0]!, version: "1", value: "2" };
    const found = { ok: { header: { ...header, ...term }, kvs: [pair], count: "1" } };
    await side.diverging("put-after-open-delete", "KV", "Range", { key: side.key("a") }, found);
  },
};

differentialArea("kv-compact-same-revision", sameRevisionCases);
