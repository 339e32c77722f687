import {
  AlarmRequestAlarmAction as Action,
  type AlarmRequest,
  type AlarmResponseInit,
} from "../api/index.ts";
import type { Alarm, Alarms } from "../cluster/index.ts";

/** Alarm goes through the log also to be read, so that its answer is linearizable (etcd's way). */
export function applyAlarm(alarms: Alarms, request: AlarmRequest): AlarmResponseInit {
  return { alarms: change(alarms, request).map((a) => ({ memberID: a.memberId, alarm: a.type })) };
}

function change(alarms: Alarms, request: AlarmRequest): Alarm[] {
  switch (request.action) {
    case Action.ACTIVATE:
      return request.alarm === 0 ? [] : [alarms.activate(request.memberID, request.alarm)];
    case Action.DEACTIVATE: {
      const removed = alarms.deactivate(request.memberID, request.alarm);
      return removed === undefined ? [] : [removed];
    }
    default:
      return alarms.list(request.alarm);
  }
}
