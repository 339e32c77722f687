// Status, alarms, hashes, snapshot, defragmentation, members.

import { createHash } from "node:crypto";
import { method } from "./grpc-client.ts";
import { type Cases, differentialArea } from "./harness.ts";
import { okOf, type Side } from "./side.ts";

interface SnapshotMessage {
  readonly header?: object;
  readonly remaining_bytes?: string;
  readonly blob?: Uint8Array;
}

const blobBytesMax = 32 * 1024;
const digestBytes = 32;

/** The stream's form: sizes of blobs, falling remainders, the digest at the end. */
async function snapshotShape(side: Side): Promise<void> {
  const { messages, error } = await side.grpc.serverStream(method("Maintenance", "Snapshot"), {});
  const parts = messages as SnapshotMessage[];
  const blobs = parts.map((part) => part.blob ?? new Uint8Array());
  const remainders = parts.map((part) => Number(part.remaining_bytes ?? "0"));
  const digest = blobs.at(-1) ?? new Uint8Array();
  const body = Buffer.concat(blobs.slice(0, -1));
  const sent = blobs.slice(0, -1).reduce<number[]>((sums, blob) => {
    sums.push((sums.at(-1) ?? 0) + blob.length);
    return sums;
  }, []);
  side.note("Maintenance/Snapshot", null, {
    error: error as never,
    headers: parts.filter((part) => part.header !== undefined).length,
    fullBlobs: blobs.slice(0, -2).every((blob) => blob.length === blobBytesMax),
    remainders: sent.every((bytes, index) => remainders[index] === body.length - bytes),
    lastRemainder: remainders.at(-1) ?? null,
    digestBytes: digest.length,
    digestFits: createHash("sha256").update(body).digest().equals(digest),
    wholePages: body.length % 512,
    magic: body.readUInt32LE(16).toString(16),
    lastIsDigest: digest.length === digestBytes,
  });
}

const cases: Cases = {
  status: async (side) => {
    await side.call("Maintenance", "Status", {});
    await side.put(side.key("a"), "1");
    await side.call("Maintenance", "Status", {});
  },
  "member list": async (side) => {
    await side.call("Cluster", "MemberList", {});
    await side.call("Cluster", "MemberList", { linearizable: true });
  },
  alarms: async (side) => {
    const memberID = "4660";
    await side.call("Maintenance", "Alarm", {});
    await side.call("Maintenance", "Alarm", { action: "GET", alarm: "NOSPACE" });
    await side.call("Maintenance", "Alarm", { action: "ACTIVATE", memberID });
    await side.call("Maintenance", "Alarm", { action: "ACTIVATE", memberID, alarm: "NOSPACE" });
    await side.call("Maintenance", "Alarm", { action: "ACTIVATE", memberID, alarm: "NOSPACE" });
    await side.call("Maintenance", "Alarm", {
      action: "ACTIVATE",
      memberID: "1",
      alarm: "NOSPACE",
    });
    for (const alarm of ["NONE", "NOSPACE", "CORRUPT"]) {
      await side.call("Maintenance", "Alarm", { action: "GET", alarm });
    }
    await side.put(side.key("a"), "1");
    await side.remove({ key: side.key("a") });
    const status = okOf(await side.quiet("Maintenance", "Status", {}));
    side.note("Status", null, { errors: status.errors ?? null });
    await side.request("/health", { method: "GET" });
    await side.call("Maintenance", "Alarm", { action: "DEACTIVATE", alarm: "NOSPACE" });
    await side.call("Maintenance", "Alarm", { action: "DEACTIVATE", memberID, alarm: "CORRUPT" });
    await side.call("Maintenance", "Alarm", { action: "DEACTIVATE", memberID, alarm: "NOSPACE" });
    await side.call("Maintenance", "Alarm", {
      action: "DEACTIVATE",
      memberID: "1",
      alarm: "NOSPACE",
    });
    await side.call("Maintenance", "Alarm", {});
    await side.request("/health", { method: "GET" });
    await side.put(side.key("a"), "1");
  },
  "the corrupt alarm stops writes": async (side) => {
    const alarm = { memberID: "4660", alarm: "CORRUPT" };
    await side.put(side.key("a"), "1");
    await side.call("Maintenance", "Alarm", { action: "ACTIVATE", ...alarm });
    await side.put(side.key("a"), "2");
    await side.remove({ key: side.key("a") });
    await side.range({ key: side.key("a") });
    await side.txn({ success: [{ request_range: { key: side.key("a") } }] });
    await side.txn({ success: [{ request_put: { key: side.key("a"), value: "3" } }] });
    await side.call("KV", "Compact", { revision: side.base });
    await side.call("Lease", "LeaseGrant", { TTL: 60, ID: 9 });
    await side.call("Lease", "LeaseRevoke", { ID: 9 });
    await side.request("/health", { method: "GET" });
    await side.request("/livez", { method: "GET" });
    await side.request("/readyz", { method: "GET" });
    await side.request("/readyz/data_corruption", { method: "GET" });
    await side.request("/readyz?exclude=data_corruption", { method: "GET" });
    await side.call("Maintenance", "Alarm", { action: "DEACTIVATE", ...alarm });
    await side.put(side.key("a"), "2");
    await side.request("/readyz", { method: "GET" });
  },
  "hash of keys at revisions": async (side) => {
    for (const name of ["a", "b", "a", "c"]) await side.put(side.key(name), `value ${name}`);
    await side.remove({ key: side.key("b") });
    await side.txn({
      success: [
        { request_put: { key: side.key("d"), value: "1" } },
        { request_delete_range: { key: side.key("a") } },
      ],
    });
    await side.call("Maintenance", "HashKV", {});
    for (let distance = 0; distance <= 7; distance++) {
      await side.call("Maintenance", "HashKV", { revision: side.base + distance });
    }
    await side.call("Maintenance", "HashKV", { revision: -1 });
    await side.call("KV", "Compact", { revision: side.base + 4, physical: true });
    for (let distance = 2; distance <= 7; distance++) {
      await side.call("Maintenance", "HashKV", { revision: side.base + distance });
    }
    await side.put(side.key("e"), "after");
    await side.call("Maintenance", "HashKV", {});
    await side.call("KV", "Compact", { revision: side.base + 7, physical: true });
    await side.call("Maintenance", "HashKV", {});
    await side.call("Maintenance", "HashKV", { revision: 1 });
    await side.call("Maintenance", "HashKV", { revision: -1 });
  },
  "hash of the backend is a number": async (side) => {
    const answer = okOf(await side.quiet("Maintenance", "Hash", {}));
    side.note("Maintenance/Hash", null, [typeof answer.hash, Object.keys(answer)]);
  },
  "snapshot stream": async (side) => {
    await snapshotShape(side);
    for (let index = 0; index < 20; index++) {
      await side.putLarge(side.key(`${index}`), "s".repeat(50_000));
    }
    await snapshotShape(side);
  },
  defragment: async (side) => {
    await side.call("Maintenance", "Defragment", {});
    await side.put(side.key("a"), "1");
    await side.range({ key: side.key("a") });
  },
  "leadership and downgrade of a single member": async (side) => {
    await side.call("Maintenance", "MoveLeader", { targetID: "7" });
    await side.call("Maintenance", "MoveLeader", {});
  },
};

differentialArea("maintenance", cases);
