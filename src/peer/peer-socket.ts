/**
 * What the transport needs of a connected byte stream. Sockets of node:net and node:tls have this shape; tests may
 * bring their own.
 */
export interface PeerSocket {
  /** False when the bytes wait: then `drain` follows. The bytes must not change while `writableLength` counts them. */
  write(bytes: Uint8Array): boolean;
  readonly writableLength: number;
  readonly destroyed: boolean;
  end(): void;
  destroy(): void;
  pause(): void;
  resume(): void;
  on(event: "data", listener: (chunk: Uint8Array) => void): void;
  on(event: "drain" | "close", listener: () => void): void;
  on(event: "error", listener: (error: Error) => void): void;
}

/** Opens connections; the real one is in dial.ts. `done` is called once, in a later turn, unless cancelled. */
export type Dial = (
  url: string,
  timeoutMs: number,
  done: (outcome: PeerSocket | DialFailure) => void,
) => Dialing;

export interface Dialing {
  cancel(): void;
}

/** Why there is no connection: a text for the operator. */
export class DialFailure {
  readonly reason: string;

  constructor(reason: string) {
    this.reason = reason;
  }
}
