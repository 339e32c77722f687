/**
 * The simplest store that could be right: every change ever made in one list. For property tests.
 */
import type { RevisionProblem } from "../types.ts";

export interface ModelChange {
  readonly main: number;
  readonly sub: number;
  readonly key: string;
  readonly dead: boolean;
  readonly create: number;
  readonly version: number;
  readonly value: string;
  readonly lease: bigint;
}

export type ModelOperation =
  | { kind: "put"; key: string; value: string; lease: bigint }
  | { kind: "delete"; key: string; rangeEnd: string };

export class StoreModel {
  readonly changes: ModelChange[] = [];
  revision = 1;
  compactRevision = -1;

  transaction(operations: readonly ModelOperation[]): void {
    const main = this.revision + 1;
    let sub = 0;
    for (const operation of operations) {
      if (operation.kind === "put") {
        const { key, value, lease } = operation;
        const before = this.at(key, main);
        const create = before?.create ?? main;
        const version = (before?.version ?? 0) + 1;
        this.changes.push({ main, sub, key, dead: false, create, version, value, lease });
        sub++;
        continue;
      }
      for (const { key } of this.range(operation.key, operation.rangeEnd, main)) {
        const gone = { create: 0, version: 0, value: "", lease: 0n };
        this.changes.push({ main, sub, key, dead: true, ...gone });
        sub++;
      }
    }
    if (sub > 0) this.revision = main;
  }

  compact(revision: number): RevisionProblem | undefined {
    if (revision <= this.compactRevision) return "compacted";
    if (revision > this.revision) return "future";
    this.compactRevision = revision;
    return undefined;
  }

  /** The living state of a key at a revision. */
  at(key: string, revision: number): ModelChange | undefined {
    const found = this.changes.findLast((c) => c.key === key && c.main <= revision);
    return found?.dead ? undefined : found;
  }

  range(key: string, rangeEnd: string, revision: number): ModelChange[] {
    const keys = new Set(this.changes.map((c) => c.key));
    const inRange = (k: string) =>
      rangeEnd === "" ? k === key : k >= key && (rangeEnd === "\0" || k < rangeEnd);
    const wanted = [...keys].filter(inRange).sort();
    return wanted.flatMap((k) => this.at(k, revision) ?? []);
  }

  /** Changes that a watch from `revision` on must see. */
  changesFrom(revision: number): ModelChange[] {
    return this.changes.filter((c) => c.main >= revision);
  }
}
