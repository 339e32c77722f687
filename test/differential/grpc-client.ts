// A gRPC client of one member made by @grpc/grpc-js from our .proto files: independent of our own
// codecs. 64-bit numbers are decimal strings, bytes come as latin-1 strings so that results compare
// and print as plain JSON.

import { join } from "node:path";
import * as grpc from "@grpc/grpc-js";
import * as loader from "@grpc/proto-loader";
import { repositoryDirectory } from "../reference.ts";
import { type Json, plain, wire } from "./plain.ts";

const protoFiles = ["rpc.proto", "kv.proto", "auth.proto", "lock.proto", "election.proto"];
const anySize = -1;

const packageDefinition = loader.loadSync(protoFiles, {
  includeDirs: [join(repositoryDirectory, "src", "api", "proto")],
  keepCase: true,
  longs: String,
  enums: String,
  defaults: false,
  oneofs: false,
});

export type Method = grpc.MethodDefinition<object, object>;

/** `method("KV", "Range")`, or a full package for the other services. */
export function method(service: string, name: string): Method {
  const full = service.includes(".") ? service : `etcdserverpb.${service}`;
  const found = (packageDefinition[full] as grpc.ServiceDefinition | undefined)?.[name];
  if (found === undefined) throw new Error(`no method ${full}/${name}`);
  return found as Method;
}

export interface Failure {
  readonly code: number;
  readonly details: string;
}

export type Outcome = { readonly ok: Json } | { readonly error: Failure };

export interface CallOptions {
  readonly metadata?: Readonly<Record<string, string>>;
  readonly timeoutMilliseconds?: number;
}

const callMilliseconds = 15_000;

export class GrpcClient {
  readonly #client: grpc.Client;

  constructor(
    endpoint: string,
    credentials = grpc.credentials.createInsecure(),
    options: Readonly<grpc.ChannelOptions> = {},
  ) {
    this.#client = new grpc.Client(endpoint, credentials, {
      "grpc.max_receive_message_length": anySize,
      "grpc.max_send_message_length": anySize,
      "grpc.use_local_subchannel_pool": 1,
      ...options,
    });
  }

  unary(to: Method, request: Json, options: CallOptions = {}): Promise<Outcome> {
    return new Promise((resolve) => {
      this.#client.makeUnaryRequest(
        to.path,
        to.requestSerialize,
        to.responseDeserialize,
        wire(request) as object,
        metadataOf(options),
        deadlineOf(options),
        (failure, response) => {
          resolve(failure ? { error: failureOf(failure) } : { ok: plain(response) });
        },
      );
    });
  }

  /** A unary call of any path with raw bytes: for methods and messages no proto describes. */
  raw(path: string, message: Uint8Array): Promise<Outcome> {
    return new Promise((resolve) => {
      this.#client.makeUnaryRequest(
        path,
        (bytes: Buffer) => bytes,
        (bytes: Buffer) => bytes,
        Buffer.from(message),
        new grpc.Metadata(),
        deadlineOf({}),
        (failure, response) => {
          resolve(failure ? { error: failureOf(failure) } : { ok: plain(response) });
        },
      );
    });
  }

  serverStream(to: Method, request: Json, options: CallOptions = {}): Promise<StreamOutcome> {
    const stream = this.#client.makeServerStreamRequest(
      to.path,
      to.requestSerialize,
      to.responseDeserialize,
      wire(request) as object,
      metadataOf(options),
      deadlineOf(options),
    );
    return new Promise((resolve) => {
      const messages: object[] = [];
      stream.on("data", (message: object) => messages.push(message));
      stream.on("error", (failure: grpc.ServiceError) =>
        resolve({ messages, error: failureOf(failure) }),
      );
      stream.on("end", () => resolve({ messages, error: null }));
    });
  }

  bidirectional(to: Method, options: CallOptions = {}): grpc.ClientDuplexStream<object, object> {
    return this.#client.makeBidiStreamRequest(
      to.path,
      to.requestSerialize,
      to.responseDeserialize,
      metadataOf(options),
    );
  }

  close(): void {
    this.#client.close();
  }
}

export interface StreamOutcome {
  /** As decoded, bytes still as buffers. */
  readonly messages: object[];
  readonly error: Failure | null;
}

export function failureOf(failure: grpc.ServiceError): Failure {
  return { code: failure.code, details: failure.details };
}

function metadataOf(options: CallOptions): grpc.Metadata {
  const metadata = new grpc.Metadata();
  for (const [name, value] of Object.entries(options.metadata ?? {})) metadata.set(name, value);
  return metadata;
}

function deadlineOf(options: CallOptions): grpc.CallOptions {
  return { deadline: Date.now() + (options.timeoutMilliseconds ?? callMilliseconds) };
}
