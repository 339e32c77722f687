// Whoever gets a reply may commit the database in the same turn (a physical compaction does): the batch then holds
// the entry's effects, so it must hold its index too (incident 1).
import { expect, test } from "bun:test";
import { FaultDisk } from "../../test/disk/fault-disk.ts";
import { encodePutRequest, ProtoWriter } from "../api/index.ts";
import { utf8 } from "../base/bytes.ts";
import { Alarms, Membership } from "../cluster/index.ts";
import { Database } from "../database/index.ts";
import { Lessor } from "../lease/index.ts";
import { Store } from "../mvcc/index.ts";
import { CommandKind } from "./command.ts";
import { encodeCommand } from "./command-codec.ts";
import { StateMachine } from "./state-machine.ts";

test("a commit from within a reply stores the applied index of that reply's entry", () => {
  const database = Database.open({
    file: new FaultDisk().open("db", { create: true }),
    pageCacheBytes: 1 << 20,
    onFailure: (error) => {
      throw error;
    },
  });
  const lessor = new Lessor(database, { ttlSecondsMin: 2 });
  const machine = new StateMachine({
    database,
    lessor,
    store: Store.open({ database, onChanges: () => {} }),
    membership: new Membership(database),
    alarms: new Alarms(database),
  });
  const writer = new ProtoWriter();
  encodePutRequest(writer, { key: utf8("k"), value: utf8("v") });
  const data = encodeCommand(CommandKind.put, 0, 9, "", 0, writer.finish());
  const seen: number[] = [];
  const sink = () => {
    seen.push(database.consistentIndex(), database.consistentTerm(), machine.appliedIndex());
  };
  machine.apply({ term: 3, index: 1, kind: 0, data }, 0, sink, () => {});
  expect(seen).toEqual([1, 3, 1]);
  database.commitNow();
});
