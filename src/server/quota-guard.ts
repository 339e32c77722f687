/**
 * Keeps the database below its quota: a write whose worst case would pass it is refused, and the NOSPACE alarm is
 * raised through the log so that the whole cluster refuses alike until it is disarmed.
 *
 * What counts are the bytes in use, not the file's size: free pages are reused before the file grows, so an
 * operator who deleted and compacted has room again without defragmenting (a kept difference from etcd).
 */
import {
  AlarmRequestAlarmAction as Action,
  AlarmType,
  type EtcdError,
  encodeAlarmRequest,
  errNoSpace,
} from "../api/index.ts";
import type { Alarms } from "../cluster/index.ts";
import type { Database } from "../database/index.ts";
import type { Logger } from "../io/index.ts";
import { CommandKind } from "../state-machine/index.ts";
import type { Proposer } from "./proposer.ts";

export interface QuotaParts {
  readonly database: Database;
  readonly alarms: Alarms;
  readonly proposer: Proposer;
  readonly logger: Logger;
  readonly memberId: bigint;
  /** Bytes; Infinity when switched off. */
  readonly quotaBytes: number;
}

export class QuotaGuard {
  readonly #parts: QuotaParts;
  /** The alarm is on its way through the log: it is raised once, not with every write refused meanwhile. */
  #raising = false;

  constructor(parts: QuotaParts) {
    this.#parts = parts;
  }

  quotaBytes(): number {
    return this.#parts.quotaBytes;
  }

  /** The error for a write that may add `costBytes`, or null. Nothing is refused that costs nothing. */
  refuse(costBytes: number): EtcdError | null {
    const { database, alarms, quotaBytes } = this.#parts;
    if (costBytes === 0) return null;
    if (database.inUseBytes() + costBytes < quotaBytes) return null;
    if (!this.#raising && !alarms.isActive(AlarmType.NOSPACE)) this.#raise();
    return errNoSpace;
  }

  #raise(): void {
    const { database, quotaBytes, proposer, memberId, logger } = this.#parts;
    logger.warn("database space exceeds quota; raising NOSPACE alarm", {
      "in-use-bytes": database.inUseBytes(),
      "quota-bytes": quotaBytes,
    });
    this.#raising = true;
    const done = () => {
      this.#raising = false;
    };
    const request = { action: Action.ACTIVATE, memberID: memberId, alarm: AlarmType.NOSPACE };
    // Refused or lost: the next write raises it again.
    const waiter = { succeed: done, fail: done };
    proposer.propose(CommandKind.alarm, encodeAlarmRequest, request, waiter);
  }
}
