/**
 * What a request's headers say about the call: `Grpc-Metadata-X` is metadata x, `Authorization` is the token
 * as it stands, `Grpc-Timeout` is the deadline.
 */
import { type CallContext, EtcdError, GrpcCode } from "../../api/index.ts";

/** Who is at the other end of the connection; the listener knows. */
export interface ConnectionInfo {
  /** Common name of the verified client certificate, or "". */
  readonly peerName: string;
  readonly peerAddress: string;
  /** The connection is TLS. */
  readonly isTls: boolean;
}

const UNIT_MS: Readonly<Record<string, number>> = {
  H: 3_600_000,
  M: 60_000,
  S: 1000,
  m: 1,
  u: 1e-3,
  n: 1e-6,
};

export function callContext(
  headers: Headers,
  info: ConnectionInfo,
  nowMs: () => number,
): CallContext | EtcdError {
  const timeout = headers.get("grpc-timeout");
  let deadlineMs = Number.POSITIVE_INFINITY;
  if (timeout !== null && timeout !== "") {
    const timeoutMs = parseTimeoutMs(timeout);
    if (timeoutMs === null) {
      return new EtcdError(GrpcCode.InvalidArgument, `invalid grpc-timeout: ${timeout}`);
    }
    // Zero is no deadline.
    if (timeoutMs !== 0) deadlineMs = nowMs() + timeoutMs;
  }
  return {
    token:
      headers.get("grpc-metadata-token") ??
      headers.get("authorization") ??
      headers.get("grpc-metadata-authorization"),
    requireLeader: headers.get("grpc-metadata-hasleader") === "true",
    clientApiVersion: headers.get("grpc-metadata-client-api-version") ?? "unknown",
    peerName: "",
    viaGateway: true,
    peerAddress: info.peerAddress,
    deadlineMs,
  };
}

/** A whole number and a unit; null for anything else. */
function parseTimeoutMs(text: string): number | null {
  const unitMs = UNIT_MS[text.at(-1)!];
  const digits = text.slice(0, -1);
  if (unitMs === undefined || !/^[+-]?[0-9]{1,18}$/.test(digits)) return null;
  return Number(digits) * unitMs;
}
