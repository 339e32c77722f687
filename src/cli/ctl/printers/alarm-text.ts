import { type AlarmMember, AlarmType } from "../../../api/index.ts";

const NAMES = new Map<number, string>(
  Object.entries(AlarmType).map(([name, value]) => [value, name]),
);

export function alarmName(alarm: number): string {
  return NAMES.get(alarm) ?? String(alarm);
}

/** An alarm as etcd's text form of messages, with its space at the end. */
export function alarmText(member: AlarmMember): string {
  const id = member.memberID === 0n ? "" : `memberID:${member.memberID} `;
  return member.alarm === AlarmType.NONE ? id : `${id}alarm:${alarmName(member.alarm)} `;
}
