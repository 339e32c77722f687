import type { ProtoWriter } from "./protobuf/writer.ts";

/**
 * One RPC: its path, the kinds of its streams and the codecs of both ends.
 * The rows are generated (generated/methods.ts).
 */
export interface MethodRow {
  /** The gRPC path, such as /etcdserverpb.KV/Range. */
  readonly path: string;
  readonly service: string;
  readonly name: string;
  readonly requestType: string;
  readonly responseType: string;
  readonly clientStream: boolean;
  readonly serverStream: boolean;
  // The rows are heterogeneous; callers that know the path know the types.
  readonly decodeRequest: (bytes: Uint8Array, start?: number, end?: number) => unknown;
  readonly encodeRequest: (writer: ProtoWriter, message: never) => void;
  readonly decodeResponse: (bytes: Uint8Array, start?: number, end?: number) => unknown;
  readonly encodeResponse: (writer: ProtoWriter, message: never) => void;
}
