// One HTTP/2 request with headers and body exactly as a case wants them, for what no gRPC library
// would send. The answer keeps every header and trailer, data as hex, and how the stream ended.

import { connect } from "node:http2";
import type { Json, JsonObject } from "./plain.ts";

const answerMilliseconds = 8000;
const ownHeaders = new Set(["date"]);

export interface RawRequest {
  readonly headers: Readonly<Record<string, string>>;
  readonly body?: Uint8Array;
}

/** A gRPC message frame: flag, length, bytes. */
export function messageFrame(bytes: Uint8Array, compressed = 0): Uint8Array {
  const frame = new Uint8Array(5 + bytes.length);
  frame[0] = compressed;
  new DataView(frame.buffer).setUint32(1, bytes.length);
  frame.set(bytes, 5);
  return frame;
}

export async function rawRequest(url: string, request: RawRequest): Promise<Json> {
  const session = connect(url);
  session.on("error", () => {});
  try {
    return await new Promise<Json>((resolve) => {
      const stream = session.request(
        { ":method": "POST", ...request.headers },
        { endStream: request.body === undefined },
      );
      const answer: JsonObject = { headers: null, data: "", trailers: null, ended: "" };
      const done = (how: string) => resolve({ ...answer, ended: how });
      stream.on("response", (headers) => {
        answer.headers = plainHeaders(headers);
      });
      stream.on("trailers", (headers) => {
        answer.trailers = plainHeaders(headers);
      });
      stream.on("data", (bytes: Buffer) => {
        answer.data += bytes.toString("hex");
      });
      stream.on("error", () => {});
      stream.on("close", () => done(`closed with code ${stream.rstCode}`));
      stream.setTimeout(answerMilliseconds, () => done("no answer"));
      if (request.body !== undefined) stream.end(request.body);
    });
  } finally {
    session.destroy();
  }
}

function plainHeaders(headers: object): JsonObject {
  const result: JsonObject = {};
  for (const [name, value] of Object.entries(headers)) {
    if (!ownHeaders.has(name)) result[name] = Array.isArray(value) ? value.join(", ") : value;
  }
  return result;
}
