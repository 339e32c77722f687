// Leases: grant, keep alive, time to live, list, revoke, expiry.

import { type Cases, differentialArea } from "./harness.ts";
import { okOf, type Side } from "./side.ts";

const unknown = "7587123456789";

async function grant(side: Side, request: object): Promise<string> {
  return String(okOf(await side.call("Lease", "LeaseGrant", request)).ID);
}

const cases: Cases = {
  "grant: a chosen id, its TTL, its bounds": async (side) => {
    for (const TTL of [60, 2, 1, 0, -1, "-9223372036854775808", "9000000000"]) {
      await side.call("Lease", "LeaseRevoke", { ID: await grant(side, { TTL }) });
    }
    await side.call("Lease", "LeaseGrant", { TTL: "9000000001" });
    await side.call("Lease", "LeaseGrant", { TTL: "9223372036854775807" });
    await side.call("Lease", "LeaseGrant", { TTL: "9000000001", ID: 77 });
    await side.call("Lease", "LeaseTimeToLive", { ID: 77 });
  },
  "grant: explicit ids": async (side) => {
    for (const ID of ["1001", "1001", "9223372036854775807", "-5", "-9223372036854775808"]) {
      await side.call("Lease", "LeaseGrant", { TTL: 100, ID });
      await side.call("Lease", "LeaseTimeToLive", { ID, keys: true });
    }
    for (const ID of ["1001", "1001", "9223372036854775807", "-5", "-9223372036854775808"]) {
      await side.call("Lease", "LeaseRevoke", { ID });
    }
    await side.call("Lease", "LeaseGrant", { TTL: 100, ID: "1001" });
    await side.call("Lease", "LeaseRevoke", { ID: "1001" });
  },
  "grant: chosen ids are positive and differ": async (side) => {
    const ids = [await grant(side, { TTL: 60 }), await grant(side, { TTL: 60 })];
    side.note("ids", null, [ids.every((id) => BigInt(id) > 0n), ids[0] !== ids[1]]);
    for (const ID of ids) await side.call("Lease", "LeaseRevoke", { ID });
  },
  "revoke: unknown, zero, twice, with keys": async (side) => {
    await side.call("Lease", "LeaseRevoke", { ID: unknown });
    await side.call("Lease", "LeaseRevoke", {});
    await side.call("Lease", "LeaseRevoke", { ID: -1 });
    const ID = await grant(side, { TTL: 60 });
    for (const name of ["c", "a", "b"]) await side.put(side.key(name), name, { lease: ID });
    await side.call("Lease", "LeaseRevoke", { ID });
    await side.call("Lease", "LeaseRevoke", { ID });
    await side.range({ key: side.prefix, range_end: `${side.prefix.slice(0, -1)}0` });
    await side.put(side.key("a"), "next revision");
  },
  "revoke without keys keeps the revision": async (side) => {
    await side.call("Lease", "LeaseRevoke", { ID: await grant(side, { TTL: 60 }) });
    await side.put(side.key("a"), "next revision");
  },
  "time to live": async (side) => {
    await side.call("Lease", "LeaseTimeToLive", { ID: unknown });
    await side.call("Lease", "LeaseTimeToLive", { ID: unknown, keys: true });
    await side.call("Lease", "LeaseTimeToLive", {});
    const ID = await grant(side, { TTL: 500 });
    await side.call("Lease", "LeaseTimeToLive", { ID });
    await side.call("Lease", "LeaseTimeToLive", { ID, keys: true });
    for (const name of ["c", "a", "b", "a\0"]) await side.put(side.key(name), name, { lease: ID });
    await side.call("Lease", "LeaseTimeToLive", { ID, keys: true });
    await side.call("Lease", "LeaseTimeToLive", { ID });
    await side.remove({ key: side.key("b") });
    await side.put(side.key("c"), "without lease");
    await side.call("Lease", "LeaseTimeToLive", { ID, keys: true });
  },
  list: async (side) => {
    await side.call("Lease", "LeaseGrant", { TTL: 3000, ID: 503 });
    await side.call("Lease", "LeaseGrant", { TTL: 2000, ID: 501 });
    await side.call("Lease", "LeaseGrant", { TTL: 4000, ID: 502 });
    await side.call("Lease", "LeaseLeases", {});
    for (const ID of [501, 502, 503]) await side.call("Lease", "LeaseRevoke", { ID });
    await side.call("Lease", "LeaseLeases", {});
  },
  "keep alive: known, unknown, again, half-closed": async (side) => {
    const ID = await grant(side, { TTL: 300 });
    await side.keepAlive(ID);
    await side.keepAlive(unknown);
    await side.keepAlive("0");
    await side.keepAlive(ID, unknown, ID, "-1", ID);
    await side.keepAlive();
    await side.call("Lease", "LeaseRevoke", { ID });
    await side.keepAlive(ID);
  },
  "keep alive in a batch: replies in order": async (side) => {
    const ID = await grant(side, { TTL: 300 });
    const stream = side.keepAliveStream();
    for (let round = 0; round < 20; round++) stream.send({ ID: round % 2 === 0 ? ID : unknown });
    for (let round = 0; round < 20; round++) await stream.take(() => true);
    stream.halfClose();
    await stream.ended();
  },
  "expiry deletes the keys in one revision": async (side) => {
    const watch = side.watch();
    const id = await watch.create({ key: side.prefix, range_end: `${side.prefix.slice(0, -1)}0` });
    const ID = await grant(side, { TTL: 2 });
    for (const name of ["b", "a"]) await side.put(side.key(name), name, { lease: ID });
    await watch.responses(id, 3);
    await side.call("Lease", "LeaseTimeToLive", { ID, keys: true });
    await side.keepAlive(ID);
    await side.range({ key: side.prefix, range_end: `${side.prefix.slice(0, -1)}0` });
    await side.put(side.key("c"), "1", { lease: ID });
  },
};

differentialArea("lease", cases);
