/**
 * What a request's headers say about the call: which method, whose token, how long. Derived once for each
 * distinct header block of a connection (RequestHead.memo), so that repeated calls cost no look at headers.
 */
import type { CallContext } from "../../api/index.ts";
import type { RequestHead } from "../http2/index.ts";
import type { MethodTable, TableEntry } from "./method-table.ts";
import { GRPC_CONTENT_TYPE, goQuote } from "./status.ts";
import { parseTimeout } from "./timeout.ts";

/** Who is at the other end of the connection. */
export interface Peer {
  /** Common name of the verified client certificate, or "". */
  readonly name: string;
  readonly address: string;
}

export type Refusal = {
  readonly kind: "refusal";
  readonly httpStatus: number;
  readonly contentType: string;
  readonly code: number;
  readonly message: string;
};

export interface CallPlan {
  readonly kind: "plan";
  readonly entry: TableEntry;
  readonly contentType: string;
  /** Without a deadline; shared by all calls with these headers. */
  readonly context: CallContext;
  /** -1 without grpc-timeout. */
  readonly timeoutMs: number;
  /** grpc-encoding, "" or "identity" when messages come as they are. */
  readonly encoding: string;
}

/** Whether a request is for the gRPC server at all; the rest goes to the HTTP handler, as etcd splits them. */
export function isGrpcRequest(head: RequestHead): boolean {
  return head.contentType.includes(GRPC_CONTENT_TYPE);
}

export function planCall(head: RequestHead, table: MethodTable, peer: Peer): CallPlan | Refusal {
  const contentType = head.contentType.toLowerCase();
  const refuse = (httpStatus: number, code: number, message: string): Refusal => {
    const answerType = isGrpcContentType(contentType) ? contentType : GRPC_CONTENT_TYPE;
    return { kind: "refusal", httpStatus, contentType: answerType, code, message };
  };
  if (!isGrpcContentType(contentType)) {
    return refuse(415, 3, `invalid gRPC request content-type ${goQuote(contentType)}`);
  }
  if (head.method !== "POST") {
    const text = `Received a HEADERS frame with :method ${goQuote(head.method)} which should be POST`;
    return refuse(405, 13, text);
  }
  let token: string | null = null;
  let authorization: string | null = null;
  let requireLeader = false;
  let clientApiVersion = "unknown";
  let viaGateway = false;
  let timeout: number | string = -1;
  let encoding = "";
  const { fields } = head;
  for (let i = 0; i < fields.length; i += 2) {
    const value = fields[i + 1]!;
    switch (fields[i]) {
      case "token":
        token ??= value;
        break;
      case "authorization":
        authorization ??= value;
        break;
      case "hasleader":
        requireLeader ||= value === "true";
        break;
      case "client-api-version":
        clientApiVersion = value;
        break;
      case "grpcgateway-accept":
        viaGateway = true;
        break;
      case "grpc-timeout":
        timeout = parseTimeout(value);
        break;
      case "grpc-encoding":
        encoding = value;
        break;
    }
  }
  if (typeof timeout === "string") return refuse(400, 13, `malformed grpc-timeout: ${timeout}`);
  const entry = table.find(head.path);
  if (entry === undefined) return refuse(200, 12, unknownMethodText(head.path, table));
  if (encoding !== "" && encoding !== "identity" && encoding !== "gzip") {
    const text = `grpc: Decompressor is not installed for grpc-encoding ${goQuote(encoding)}`;
    return refuse(200, 12, text);
  }
  const context: CallContext = {
    token: token ?? authorization,
    requireLeader,
    clientApiVersion,
    peerName: viaGateway ? "" : peer.name,
    viaGateway,
    peerAddress: peer.address,
    deadlineMs: Number.POSITIVE_INFINITY,
  };
  return { kind: "plan", entry, contentType, context, timeoutMs: timeout, encoding };
}

function isGrpcContentType(contentType: string): boolean {
  if (!contentType.startsWith(GRPC_CONTENT_TYPE)) return false;
  const next = contentType[GRPC_CONTENT_TYPE.length];
  return next === undefined || next === "+" || next === ";";
}

function unknownMethodText(path: string, table: MethodTable): string {
  const name = path.startsWith("/") ? path.slice(1) : path;
  const slash = name.lastIndexOf("/");
  if (slash < 0) return `malformed method name: ${goQuote(path)}`;
  const service = name.slice(0, slash);
  if (!table.hasService(service)) return `unknown service ${service}`;
  return `unknown method ${name.slice(slash + 1)} for service ${service}`;
}
