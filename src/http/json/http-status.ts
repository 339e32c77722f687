/** How an error of a call becomes an HTTP answer. */
import type { EtcdError } from "../../api/index.ts";
import { encodeJsonError } from "../../api/json/index.ts";
import { sizedResponse } from "../sized-response.ts";

/** HTTP status by gRPC code. */
const STATUS_OF_CODE: readonly number[] = [
  200, 499, 500, 400, 504, 404, 409, 403, 429, 400, 409, 400, 501, 500, 503, 500, 401,
];
const UNAUTHENTICATED = 16;

export const JSON_CONTENT_TYPE = "application/json";

export function httpStatus(code: number): number {
  return STATUS_OF_CODE[code] ?? 500;
}

/** The answer to a call that failed before it had a result. */
export function errorResponse(error: EtcdError): Response {
  const headers: Record<string, string> = { "Content-Type": JSON_CONTENT_TYPE };
  if (error.code === UNAUTHENTICATED) headers["WWW-Authenticate"] = error.message;
  return sizedResponse(encodeJsonError(error.code, error.message), httpStatus(error.code), headers);
}

/** An answer of the gateway's own, where no call was made. */
export function gatewayError(status: number, code: number, message: string): Response {
  return sizedResponse(encodeJsonError(code, message), status, {
    "Content-Type": JSON_CONTENT_TYPE,
  });
}
