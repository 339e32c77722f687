// gRPC over HTTP/2 at the level of headers, frames and trailers: what a wrong client gets.

import { gzipSync } from "node:zlib";
import { requireDivergence } from "./divergence.ts";
import { type Cases, differentialArea } from "./harness.ts";
import type { JsonObject } from "./plain.ts";
import { messageFrame, rawRequest } from "./raw-http2.ts";
import type { Side } from "./side.ts";

const range: Record<string, string> = {
  ":path": "/etcdserverpb.KV/Range",
  "content-type": "application/grpc",
  te: "trailers",
};
/** A RangeRequest for the key "a". */
const message = new Uint8Array([10, 1, 97]);
const receiveBytesMax = 2 * 1024 * 1024;

type Attempt = readonly [name: string, headers: Record<string, string>, body?: Uint8Array];

/** Data of a Range answer holds ids of any length: only its flag byte and presence are kept. */
async function attempt(side: Side, [name, headers, body]: Attempt): Promise<void> {
  const answer = (await rawRequest(side.member.url, { headers, body })) as JsonObject;
  const data = String(answer.data);
  // A call that ends at once may say so in the first headers or in trailers: clients see no difference.
  const first = answer.headers as JsonObject | null;
  if (answer.trailers === null && first !== null && "grpc-status" in first) {
    const { "grpc-status": status, "grpc-message": message, ...rest } = first;
    answer.headers = rest;
    answer.trailers = { "grpc-status": status ?? null, "grpc-message": message ?? null };
  }
  const isOpaque = headers[":path"]?.startsWith("/etcdserverpb.") && data !== "";
  side.note(`h2 ${name}`, null, {
    ...answer,
    data: isOpaque ? `${data.slice(0, 2)} and a message` : data,
  });
}

function attempts(...list: Attempt[]): (side: Side) => Promise<void> {
  return async (side) => {
    for (const each of list) await attempt(side, each);
  };
}

const headerCases: Cases = {
  "content types": attempts(
    ["plain", range, messageFrame(message)],
    ["+proto", { ...range, "content-type": "application/grpc+proto" }, messageFrame(message)],
    ["+json", { ...range, "content-type": "application/grpc+json" }, messageFrame(message)],
    ["text", { ...range, "content-type": "text/plain" }, messageFrame(message)],
    ["json", { ...range, "content-type": "application/json" }, messageFrame(message)],
    ["prefix", { ...range, "content-type": "application/grpcx" }, messageFrame(message)],
    ["none", { ":path": range[":path"]!, te: "trailers" }, messageFrame(message)],
  ),
  "te and method": attempts(
    [
      "no te",
      { ":path": range[":path"]!, "content-type": "application/grpc" },
      messageFrame(message),
    ],
    ["GET", { ...range, ":method": "GET" }],
    ["PUT", { ...range, ":method": "PUT" }, messageFrame(message)],
  ),
  "unknown services and methods": attempts(
    ["method", { ...range, ":path": "/etcdserverpb.KV/Nope" }, messageFrame(message)],
    ["service", { ...range, ":path": "/nope.KV/Range" }, messageFrame(message)],
    ["no method", { ...range, ":path": "/nope" }, messageFrame(message)],
    ["root", { ...range, ":path": "/" }, messageFrame(message)],
    ["deep", { ...range, ":path": "/a/b/c" }, messageFrame(message)],
    ["case", { ...range, ":path": "/etcdserverpb.kv/Range" }, messageFrame(message)],
    ["empty method", { ...range, ":path": "/etcdserverpb.KV/" }, messageFrame(message)],
    [
      "reflection",
      { ...range, ":path": "/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo" },
      messageFrame(new Uint8Array()),
    ],
  ),
  timeouts: attempts(
    ["10 s", { ...range, "grpc-timeout": "10S" }, messageFrame(message)],
    ["5000 ms", { ...range, "grpc-timeout": "5000m" }, messageFrame(message)],
    ["1 hour", { ...range, "grpc-timeout": "1H" }, messageFrame(message)],
    ["1 ns", { ...range, "grpc-timeout": "1n" }, messageFrame(message)],
    ["no unit", { ...range, "grpc-timeout": "10" }, messageFrame(message)],
    ["bad unit", { ...range, "grpc-timeout": "bad" }, messageFrame(message)],
    ["too long", { ...range, "grpc-timeout": "123456789S" }, messageFrame(message)],
    ["empty", { ...range, "grpc-timeout": "S" }, messageFrame(message)],
    ["negative", { ...range, "grpc-timeout": "-1S" }, messageFrame(message)],
  ),
  metadata: attempts(
    ["hasleader", { ...range, hasleader: "true" }, messageFrame(message)],
    ["token", { ...range, token: "nope" }, messageFrame(message)],
    ["authorization", { ...range, authorization: "Bearer x" }, messageFrame(message)],
    ["client version", { ...range, "client-api-version": "3.7" }, messageFrame(message)],
    ["binary", { ...range, "x-bin": "AAEC" }, messageFrame(message)],
  ),
};

const metadataCases: Cases = {
  "binary metadata that is not base64": async (side) => {
    const headers = { ...range, "x-bin": "!!!" };
    if (side.member.kind === "cairn") {
      await attempt(side, ["bad binary", headers, messageFrame(message)]);
    } else {
      await attempt(side, ["bad binary", range, messageFrame(message)]);
    }
    requireDivergence("binary-metadata");
  },
};

const bodyCases: Cases = {
  "messages that are none": attempts(
    ["empty body", range, new Uint8Array()],
    ["half a frame header", range, messageFrame(message).subarray(0, 3)],
    ["half a message", range, messageFrame(message).subarray(0, 6)],
    ["two messages", range, new Uint8Array([...messageFrame(message), ...messageFrame(message)])],
    ["flag 2", range, messageFrame(message, 2)],
    ["empty message", range, messageFrame(new Uint8Array())],
  ),
  "bytes that are no message": attempts(
    ["a length over the end", range, messageFrame(new Uint8Array([10, 9, 97]))],
    ["an open varint", range, messageFrame(new Uint8Array([0xff, 0xff]))],
    ["field 0", range, messageFrame(new Uint8Array([0, 1]))],
    ["wire type 7", range, messageFrame(new Uint8Array([15, 1]))],
    ["a varint where bytes belong", range, messageFrame(new Uint8Array([8, 1, 10, 1, 97]))],
    ["an unknown field", range, messageFrame(new Uint8Array([...message, 0xf8, 7, 1]))],
    ["a group", range, messageFrame(new Uint8Array([...message, 0xfb, 7, 0xfc, 7]))],
  ),
  compression: attempts(
    ["flag without encoding", range, messageFrame(message, 1)],
    ["gzip", { ...range, "grpc-encoding": "gzip" }, messageFrame(gzipSync(message), 1)],
    ["gzip, not used", { ...range, "grpc-encoding": "gzip" }, messageFrame(message)],
    ["gzip, broken", { ...range, "grpc-encoding": "gzip" }, messageFrame(message, 1)],
    ["snappy", { ...range, "grpc-encoding": "snappy" }, messageFrame(message, 1)],
    ["snappy, not used", { ...range, "grpc-encoding": "snappy" }, messageFrame(message)],
    ["identity", { ...range, "grpc-encoding": "identity" }, messageFrame(message)],
    ["accepting gzip", { ...range, "grpc-accept-encoding": "gzip" }, messageFrame(message)],
  ),
  "messages over the limit": attempts(
    ["one byte over", range, messageFrame(new Uint8Array(receiveBytesMax + 1))],
    ["only announced", range, new Uint8Array([0, 0xff, 0xff, 0xff, 0xff])],
    [
      "small, large when unpacked",
      { ...range, "grpc-encoding": "gzip" },
      messageFrame(gzipSync(new Uint8Array(receiveBytesMax + 1)), 1),
    ],
  ),
  "streams: bytes that are no message": attempts(
    [
      "watch",
      { ...range, ":path": "/etcdserverpb.Watch/Watch" },
      messageFrame(new Uint8Array([255])),
    ],
    [
      "keep alive",
      { ...range, ":path": "/etcdserverpb.Lease/LeaseKeepAlive" },
      messageFrame(new Uint8Array([8, 5])),
    ],
    [
      "keep alive, no request",
      { ...range, ":path": "/etcdserverpb.Lease/LeaseKeepAlive" },
      new Uint8Array(),
    ],
  ),
  "health service": attempts(
    [
      "whole server",
      { ...range, ":path": "/grpc.health.v1.Health/Check" },
      messageFrame(new Uint8Array()),
    ],
    [
      "unknown service",
      { ...range, ":path": "/grpc.health.v1.Health/Check" },
      messageFrame(new Uint8Array([10, 1, 97])),
    ],
    ["list", { ...range, ":path": "/grpc.health.v1.Health/List" }, messageFrame(new Uint8Array())],
  ),
};

differentialArea("transport", { ...headerCases, ...metadataCases, ...bodyCases });
