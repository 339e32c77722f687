/** Active alarms, replicated: bucket `alarm`, key the encoded AlarmMember, value empty (etcd's form). */
import { decodeAlarmMember, encodeAlarmMember, ProtoError, ProtoWriter } from "../api/index.ts";
import { EMPTY_BYTES } from "../base/bytes.ts";
import type { Database } from "../database/index.ts";

export interface Alarm {
  readonly memberId: bigint;
  /** AlarmType: 1 NOSPACE, 2 CORRUPT. */
  readonly type: number;
}

/** Told of each alarm that becomes active, or is active no longer; not of those that are at the beginning. */
export type AlarmListener = (alarm: Alarm, isActive: boolean) => void;

export class Alarms {
  readonly #database: Database;
  readonly #changed: AlarmListener;
  #active: Alarm[] = [];

  constructor(database: Database, changed: AlarmListener = () => {}) {
    this.#database = database;
    this.#changed = changed;
    this.#load();
  }

  /** What is stored is another state now. */
  reload(): void {
    const before = this.#active;
    this.#load();
    for (const alarm of before) {
      if (this.#find(alarm.memberId, alarm.type) === undefined) this.#changed(alarm, false);
    }
    for (const alarm of this.#active) {
      const isKnown = before.some((each) => isSame(each, alarm));
      if (!isKnown) this.#changed(alarm, true);
    }
  }

  #load(): void {
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
    this.#changed(alarm, true);
    return alarm;
  }

  /** Removes exactly this alarm; undefined when it was not active. */
  deactivate(memberId: bigint, type: number): Alarm | undefined {
    const present = this.#find(memberId, type);
    if (present === undefined) return undefined;
    this.#active = this.#active.filter((alarm) => alarm !== present);
    this.#database.delete("alarm", alarmKey(present));
    this.#changed(present, false);
    return present;
  }

  #find(memberId: bigint, type: number): Alarm | undefined {
    return this.#active.find((alarm) => isSame(alarm, { memberId, type }));
  }
}

function isSame(a: Alarm, b: Alarm): boolean {
  return a.memberId === b.memberId && a.type === b.type;
}

function alarmKey(alarm: Alarm): Uint8Array {
  const writer = new ProtoWriter(24);
  encodeAlarmMember(writer, { memberID: alarm.memberId, alarm: alarm.type });
  return writer.finish();
}
