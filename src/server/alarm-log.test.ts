// Each alarm that is raised or disarmed is in the log once, on whatever way the member learns of it.
import { expect, test } from "bun:test";
import { AlarmType } from "../api/index.ts";
import { Alarms } from "../cluster/index.ts";
import { logAlarmChange } from "./alarm-log.ts";
import { openTestDatabase, RecordingLogger } from "./testing/stand-ins.ts";

const { NOSPACE, CORRUPT } = AlarmType;

function setup() {
  const database = openTestDatabase();
  const logger = new RecordingLogger();
  const alarms = new Alarms(database, (alarm, isActive) => logAlarmChange(logger, alarm, isActive));
  const logged = () =>
    logger.lines
      .splice(0)
      .map(({ level, message, fields }) => `${level} ${message} ${fields.alarm} ${fields.from}`);
  return { database, alarms, logged };
}

test("an alarm is logged when it is raised and when it is disarmed, and not when nothing changes", () => {
  const { alarms, logged } = setup();
  alarms.activate(0xabn, NOSPACE);
  expect(logged()).toEqual(["warn alarm raised NOSPACE ab"]);
  alarms.activate(0xabn, NOSPACE);
  alarms.deactivate(0xabn, CORRUPT);
  expect(logged()).toEqual([]);
  alarms.activate(1n, NOSPACE);
  alarms.deactivate(0xabn, NOSPACE);
  expect(logged()).toEqual(["warn alarm raised NOSPACE 1", "warn alarm disarmed NOSPACE ab"]);
});

test("a received state changes alarms too", () => {
  const { database, alarms, logged } = setup();
  alarms.activate(1n, NOSPACE);
  logged();
  // Another one's changes to what is stored.
  const others = new Alarms(database);
  others.deactivate(1n, NOSPACE);
  others.activate(2n, CORRUPT);
  alarms.reload();
  expect(logged()).toEqual(["warn alarm disarmed NOSPACE 1", "warn alarm raised CORRUPT 2"]);
  alarms.reload();
  expect(logged()).toEqual([]);
  expect(alarms.list()).toEqual([{ memberId: 2n, type: CORRUPT }]);
});
