import { expect, test } from "bun:test";
import { AlarmType, errNoSpace, errTimeout } from "../api/index.ts";
import { Alarms } from "../cluster/index.ts";
import type { Database } from "../database/index.ts";
import { CommandKind } from "../state-machine/index.ts";
import { QuotaGuard } from "./quota-guard.ts";
import { openTestDatabase, RecordingLogger, RecordingProposer } from "./testing/stand-ins.ts";

function setup(quotaBytes: number) {
  const use = { bytes: 0 };
  const alarms = new Alarms(openTestDatabase());
  const proposer = new RecordingProposer();
  const logger = new RecordingLogger();
  const guard = new QuotaGuard({
    database: { inUseBytes: () => use.bytes } as unknown as Database,
    alarms,
    proposer: proposer.asProposer,
    logger,
    memberId: 7n,
    quotaBytes,
  });
  return { use, alarms, proposer, logger, guard };
}

test("QuotaGuard refuses what would reach the quota, counting the bytes in use", () => {
  const { use, proposer, guard } = setup(1000);
  use.bytes = 699;
  expect(guard.refuse(300)).toBeNull();
  expect(proposer.proposed).toEqual([]);
  use.bytes = 700;
  expect(guard.refuse(300)).toBe(errNoSpace);
  expect(
    proposer.proposed.map(({ kind, request }) => [kind, request.alarm, request.memberID]),
  ).toEqual([[CommandKind.alarm, AlarmType.NOSPACE, 7n]]);
  // Deleting and compacting gave space back: smaller writes pass again, without defragmenting.
  use.bytes = 100;
  expect(guard.refuse(300)).toBeNull();
});

test("QuotaGuard raises the alarm once, and again after it was disarmed", () => {
  const { use, alarms, proposer, logger, guard } = setup(1000);
  use.bytes = 5000;
  for (let i = 0; i < 1000; i++) expect(guard.refuse(1)).toBe(errNoSpace);
  expect(proposer.proposed.length).toBe(1);
  alarms.activate(7n, AlarmType.NOSPACE);
  proposer.waiters[0]!.succeed({} as never);
  for (let i = 0; i < 10; i++) expect(guard.refuse(1)).toBe(errNoSpace);
  expect(proposer.proposed.length).toBe(1);
  expect(logger.lines.length).toBe(1);
  alarms.deactivate(7n, AlarmType.NOSPACE);
  guard.refuse(1);
  expect(proposer.proposed.length).toBe(2);
});

test("QuotaGuard raises the alarm again when it was lost", () => {
  const { use, proposer, guard } = setup(1000);
  use.bytes = 5000;
  proposer.refuses = true;
  expect(guard.refuse(1)).toBe(errNoSpace);
  proposer.refuses = false;
  guard.refuse(1);
  proposer.waiters[0]!.fail(errTimeout);
  guard.refuse(1);
  expect(proposer.proposed.length).toBe(2);
});

test("QuotaGuard never refuses what costs nothing, nor anything without a quota", () => {
  const full = setup(1000);
  full.use.bytes = 5000;
  expect(full.guard.refuse(0)).toBeNull();
  const free = setup(Number.POSITIVE_INFINITY);
  free.use.bytes = Number.MAX_SAFE_INTEGER;
  expect(free.guard.refuse(1 << 20)).toBeNull();
});
