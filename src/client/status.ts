/** Reads the outcome of a gRPC call from headers and trailers, and names codes as Go's status package does. */
import { EtcdError, errorOfMessage, GRPC_CODE_NAMES, GrpcCode } from "../api/index.ts";

export type Headers = Readonly<Record<string, string | readonly string[] | undefined>>;

/** The outcome in these headers or trailers: an error, null for success, undefined when they carry none. */
export function statusOf(headers: Headers): EtcdError | null | undefined {
  const text = headers["grpc-status"];
  if (typeof text !== "string") return undefined;
  const code = Number(text);
  if (code === GrpcCode.OK) return null;
  const message = headers["grpc-message"];
  return etcdErrorOf(
    Number.isInteger(code) ? code : GrpcCode.Unknown,
    typeof message === "string" ? percentDecode(message) : "",
  );
}

/** The known error with this code and text, or a new one. */
export function etcdErrorOf(code: number, message: string): EtcdError {
  const known = errorOfMessage(message);
  return known !== undefined && known.code === code ? known : new EtcdError(code, message);
}

/** What to make of an answer that is not gRPC at all; null when the headers are fine. */
export function transportErrorOf(headers: Headers): EtcdError | null {
  const status = Number(headers[":status"]);
  const type = headers["content-type"];
  const isGrpc = typeof type === "string" && type.startsWith("application/grpc");
  if (status === 200 && isGrpc) return null;
  if (status === 200) {
    const received = typeof type === "string" ? `"${type}"` : '""';
    return new EtcdError(GrpcCode.Unknown, `received unexpected content-type ${received}`);
  }
  const name = HTTP_STATUS_TEXTS[status];
  const shown = name === undefined ? `${status}` : `${status} (${name})`;
  return new EtcdError(
    HTTP_STATUS_CODES[status] ?? GrpcCode.Unknown,
    `unexpected HTTP status code received from server: ${shown}`,
  );
}

/** An error as Go prints one that has no text of etcd's own. */
export function rpcErrorText(code: number, description: string): string {
  return `rpc error: code = ${GRPC_CODE_NAMES[code] ?? `Code(${code})`} desc = ${description}`;
}

const HTTP_STATUS_CODES: Readonly<Record<number, number>> = {
  400: GrpcCode.Internal,
  401: GrpcCode.Unauthenticated,
  403: GrpcCode.PermissionDenied,
  404: GrpcCode.Unimplemented,
  429: GrpcCode.Unavailable,
  502: GrpcCode.Unavailable,
  503: GrpcCode.Unavailable,
  504: GrpcCode.Unavailable,
};

const HTTP_STATUS_TEXTS: Readonly<Record<number, string>> = {
  400: "Bad Request",
  401: "Unauthorized",
  403: "Forbidden",
  404: "Not Found",
  415: "Unsupported Media Type",
  429: "Too Many Requests",
  502: "Bad Gateway",
  503: "Service Unavailable",
  504: "Gateway Timeout",
};

function percentDecode(text: string): string {
  if (!text.includes("%")) return text;
  const bytes: number[] = [];
  const source = Buffer.from(text, "utf8");
  for (let i = 0; i < source.length; i++) {
    const hex = source[i] === 0x25 ? source.toString("latin1", i + 1, i + 3) : "";
    if (/^[0-9a-fA-F]{2}$/.test(hex)) {
      bytes.push(Number.parseInt(hex, 16));
      i += 2;
    } else bytes.push(source[i]!);
  }
  return Buffer.from(bytes).toString("utf8");
}
