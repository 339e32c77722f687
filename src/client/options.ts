/** What a client is made from, and what one call may set. */
import type { Clock } from "../io/index.ts";

export interface TlsOptions {
  /** PEM texts. Without `ca` the system's authorities are trusted. */
  readonly ca?: string;
  readonly cert?: string;
  readonly key?: string;
  /** Accept any server certificate. */
  readonly skipVerify?: boolean;
  /** Endpoints without a scheme stay plain all the same. */
  readonly onlyWithScheme?: boolean;
}

export interface ClientOptions {
  readonly clock: Clock;
  readonly endpoints: readonly string[];
  /** When present, endpoints without a scheme use TLS too. */
  readonly tls?: TlsOptions;
  /** Bounds one attempt to connect, up to the server's first settings frame. */
  readonly dialTimeoutMs?: number;
  /** Pings while calls are open; values under 10 s act as 10 s, because servers punish faster ones. */
  readonly keepaliveTimeMs?: number;
  readonly keepaliveTimeoutMs?: number;
  readonly user?: string;
  readonly password?: string;
  /** A token to send with every call instead of logging in. */
  readonly token?: string;
  readonly sendBytesMax?: number;
  readonly receiveBytesMax?: number;
  /** Told about every failed attempt of a unary call, also of those that are retried. */
  readonly onAttemptFailed?: (failure: AttemptFailure) => void;
}

export interface AttemptFailure {
  readonly method: string;
  readonly attempt: number;
  readonly code: number;
  readonly description: string;
  /** The endpoint and the two addresses of the connection; null when there was none. */
  readonly endpoint: string;
  readonly peer: PeerAddresses | null;
}

export interface PeerAddresses {
  readonly remote: string;
  readonly local: string;
  readonly tls: boolean;
}

export interface CallOptions {
  /** Milliseconds for the whole call with its retries and waiting for a connection; none: no limit. */
  readonly timeoutMs?: number;
  /** Fail at once while the member knows no leader. */
  readonly requireLeader?: boolean;
  readonly signal?: AbortSignal;
}

export const DIAL_TIMEOUT_DEFAULT_MS = 5000;
export const KEEPALIVE_TIME_MIN_MS = 10_000;
export const KEEPALIVE_TIMEOUT_DEFAULT_MS = 6000;
export const SEND_BYTES_MAX_DEFAULT = 2 * 1024 * 1024;
export const RECEIVE_BYTES_MAX_DEFAULT = 2 ** 31 - 1;
