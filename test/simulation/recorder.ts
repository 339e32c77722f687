/** What a run leaves for the checkers: requests and answers, what watchers received, what was applied. */
import { decodeKeyValue } from "../../src/api/index.ts";
import { equalBytes, latin1Text } from "../../src/base/bytes.ts";
import type { ChangeBatch } from "../../src/mvcc/index.ts";
import type { Outcome } from "./checkers/history.ts";
import type { KvEntry } from "./checkers/kv-model.ts";
import type { KvRequest, KvResponse } from "./checkers/kv-operations.ts";
import {
  type KvChange,
  type RevisionChanges,
  RevisionHistory,
} from "./checkers/revision-history.ts";
import type { Violation } from "./checkers/violations.ts";
import type { RecordedWatch } from "./checkers/watch-checks.ts";

interface FirstSeen {
  readonly member: string;
  readonly batch: ChangeBatch;
}

export class Recorder {
  readonly entries: KvEntry[] = [];
  readonly watches: RecordedWatch[] = [];
  readonly violations: Violation[] = [];
  compactedRevision = -1;
  acknowledgedWrites = 0;
  /** By what clients saw: the outcomes of their requests. */
  readonly outcomes = { ok: 0, failed: 0, unknown: 0 };
  readonly #changes = new Map<number, FirstSeen>();
  #nextClient = 0;

  newClient(): number {
    return this.#nextClient++;
  }

  /** The violations that are found while a run goes on. */
  report(violation: Violation | null): void {
    if (violation !== null) this.violations.push(violation);
  }

  record(client: number, input: KvRequest, callTime: number, outcome: Outcome<KvResponse>): void {
    this.outcomes[outcome.kind]++;
    this.entries.push({ client, input, callTime, outcome });
  }

  /** A member applied a transaction; every other member's must be the same, also this one's after a restart. */
  applied(member: string, batch: ChangeBatch): void {
    const first = this.#changes.get(batch.revision);
    if (first === undefined) {
      this.#changes.set(batch.revision, { member, batch });
      return;
    }
    if (sameBatch(first.batch, batch)) return;
    const message = `revision ${batch.revision} is ${textOf(first.batch)} on ${first.member} and ${textOf(batch)} on ${member}`;
    this.report({ rule: "same-revision", message });
  }

  history(): RevisionHistory {
    const changes = [...this.#changes.values()].sort((a, b) => a.batch.revision - b.batch.revision);
    return new RevisionHistory(changes.map(({ batch }) => changesOf(batch)));
  }
}

function sameBatch(a: ChangeBatch, b: ChangeBatch): boolean {
  if (a.events.length !== b.events.length) return false;
  return a.events.every((each, at) => {
    const other = b.events[at]!;
    return (
      each.type === other.type && equalBytes(each.key, other.key) && equalBytes(each.kv, other.kv)
    );
  });
}

function changesOf({ revision, events }: ChangeBatch): RevisionChanges {
  const changes = events.map(({ type, key, kv }): KvChange => {
    if (type !== 0) return { kind: "delete", key: latin1Text(key) };
    const { value, lease } = decodeKeyValue(kv);
    return { kind: "put", key: latin1Text(key), value: latin1Text(value), lease };
  });
  return { revision, changes };
}

function textOf(batch: ChangeBatch): string {
  return JSON.stringify(
    changesOf(batch).changes.map((each) =>
      each.kind === "put" ? `${each.key}=${each.value} ${each.lease}` : `${each.key} deleted`,
    ),
  );
}
