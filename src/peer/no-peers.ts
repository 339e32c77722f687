/** The transport of a member that has nobody to talk to: for tests of a single member. */
import { NEVER_MET } from "./lease-settings.ts";
import type { PeerAnswer, PeerTransport, SnapshotMessage, SnapshotSource } from "./types.ts";

export class NoPeers implements PeerTransport {
  start(): void {}

  setPeers(): void {}

  setRemoved(): void {}

  send(): void {}

  sendSnapshot(
    _message: SnapshotMessage,
    source: SnapshotSource,
    done: (arrived: boolean) => void,
  ): void {
    source.close();
    done(false);
  }

  request(
    _to: bigint,
    _name: string,
    _body: Uint8Array,
    _timeoutMs: number,
    done: (answer: PeerAnswer | null) => void,
  ): void {
    done(null);
  }

  activeSinceMs(): number {
    return Number.NaN;
  }

  roundTripMs(): number {
    return Number.NaN;
  }

  leaseObstacle(_member: bigint): string | null {
    return NEVER_MET;
  }

  stop(): void {}
}
