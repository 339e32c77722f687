/** What every member's log says when an alarm is raised or disarmed, in etcd's words: when it takes effect there. */
import { AlarmType } from "../api/index.ts";
import { type Alarm, hexId } from "../cluster/index.ts";
import type { Logger } from "../io/index.ts";

const NAMES: ReadonlyMap<number, string> = new Map(
  Object.entries(AlarmType).map(([name, value]) => [value, name]),
);

export function logAlarmChange(logger: Logger, { memberId, type }: Alarm, isActive: boolean): void {
  logger.warn(isActive ? "alarm raised" : "alarm disarmed", {
    alarm: NAMES.get(type) ?? `${type}`,
    from: hexId(memberId),
  });
}
