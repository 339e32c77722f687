/** Snapshots between members: what is sent, what arrives, and what becomes this member's state. */
import type { SnapshotMessage, SnapshotSink, SnapshotTransfer } from "../peer/index.ts";
import type { SnapshotMark } from "../raft/index.ts";
import type { Background } from "./background.ts";
import type { DatabaseCommitter } from "./database-committer.ts";
import type { MemberOptions } from "./member-options.ts";
import type { MemberState } from "./member-state.ts";

export interface SnapshotTrafficParts {
  readonly options: MemberOptions;
  readonly state: MemberState;
  readonly committer: DatabaseCommitter;
  readonly background: Background;
}

export class SnapshotTraffic {
  readonly #parts: SnapshotTrafficParts;

  constructor(parts: SnapshotTrafficParts) {
    this.#parts = parts;
  }

  send(message: SnapshotMessage): void {
    this.#parts.state.node.raft.reportSnapshot(message.to, false);
  }

  begin(_transfer: SnapshotTransfer): SnapshotSink | null {
    return null;
  }

  install(mark: SnapshotMark, _done: () => void): void {
    throw new Error(`a snapshot of ${mark.index} cannot be installed`);
  }

  stop(): void {}
}
