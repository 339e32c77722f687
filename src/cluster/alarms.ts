/** Active alarms, replicated: bucket `alarm`, key the encoded AlarmMember, value empty (etcd's form). */
import { decodeAlarmMember, encodeAlarmMember, ProtoError, ProtoWriter } from "../api/index.ts";
import { EMPTY_BYTES } from "../base/bytes.ts";
import type { Database } from "../database/index.ts";

export interface Alarm {
  readonly memberId: bigint;
  /** AlarmType: 1 NOSPACE, 2 CORRUPT. */
  readonly type: number;
}

export class Alarms {
  readonly #database: Database;
  #active: Alarm[] = [];

  constructor(database: Database) {
    this.#database = database;
    this.reload();
  }

  reload(): void {
    this.#active = [];
    this.#database.forEach("alarm", (key) => {
      try {
        const stored = decodeAlarmMember(key);
        this.#active.push({ memberId: stored.memberID, type: stored.alarm });
      } catch (error) {
        if (!(error instanceof ProtoError)) throw error;
      }
    });
  }

  /** Of one type, or all of them for type 0. */
  list(type = 0): Alarm[] {
    return type === 0 ? [...this.#active] : this.#active.filter((alarm) => alarm.type === type);
  }

  isActive(type: number): boolean {
    return this.#active.some((alarm) => alarm.type === type);
  }

  activate(memberId: bigint, type: number): Alarm {
    const present = this.#find(memberId, type);
    if (present !== undefined) return present;
    const alarm = { memberId, type };
    this.#active.push(alarm);
    this.#database.put("alarm", alarmKey(alarm), EMPTY_BYTES);
    return alarm;
  }

  /** Removes exactly this alarm; undefined when it was not active. */
  deactivate(memberId: bigint, type: number): Alarm | undefined {
    const present = this.#find(memberId, type);
    if (present === undefined) return undefined;
    this.#active = this.#active.filter((alarm) => alarm !== present);
    this.#database.delete("alarm", alarmKey(present));
    return present;
  }

  #find(memberId: bigint, type: number): Alarm | undefined {
    return this.#active.find((alarm) => alarm.memberId === memberId && alarm.type === type);
  }
}

function alarmKey(alarm: Alarm): Uint8Array {
  const writer = new ProtoWriter(24);
  encodeAlarmMember(writer, { memberID: alarm.memberId, alarm: alarm.type });
  return writer.finish();
}
