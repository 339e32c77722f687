/**
 * grpc.health.v1.Health: Check, List and Watch over one question, whether this member serves. etcd knows the
 * empty service name only; any other is NotFound to Check and SERVICE_UNKNOWN to Watch. Codecs by hand: three
 * fields in all.
 */
import {
  type CallContext,
  EtcdError,
  GrpcCode,
  ProtoReader,
  type ProtoWriter,
  type StreamCall,
  type UnaryCall,
} from "../../api/index.ts";
import type { GrpcMethod } from "./method-table.ts";

export const ServingStatus = { Unknown: 0, Serving: 1, NotServing: 2, ServiceUnknown: 3 } as const;

interface HealthRequest {
  readonly service: string;
}

interface HealthResponse {
  readonly status: number;
}

const SERVICE = "grpc.health.v1.Health";

export class HealthGrpcService {
  readonly #isServing: () => boolean;
  readonly #refuse: (context: CallContext) => EtcdError | null;
  readonly #watchers = new Map<StreamCall<HealthResponse>, number>();

  /** `refuse` says why a call is not let in at all, as for every other service. */
  constructor(isServing: () => boolean, refuse: (context: CallContext) => EtcdError | null) {
    this.#isServing = isServing;
    this.#refuse = refuse;
  }

  /** Tells the watchers if the answer has changed; to be called when it may have. */
  refresh(): void {
    const status = this.#status();
    for (const [call, last] of this.#watchers) {
      if (last === status) continue;
      this.#watchers.set(call, status);
      call.send({ status });
    }
  }

  /** The rows for the method table. */
  methods(): GrpcMethod[] {
    const base = { service: SERVICE, decode: decodeHealthRequest };
    return [
      {
        ...base,
        kind: "unary",
        path: `/${SERVICE}/Check`,
        name: "Check",
        encode: encodeHealthResponse,
        handler: (request: HealthRequest, call: UnaryCall<HealthResponse>) =>
          this.#check(request, call),
      },
      {
        ...base,
        kind: "unary",
        path: `/${SERVICE}/List`,
        name: "List",
        encode: encodeHealthList,
        handler: (_request: HealthRequest, call: UnaryCall<HealthResponse>) => {
          if (this.#letIn(call)) call.succeed({ status: this.#status() });
        },
      },
      {
        ...base,
        kind: "serverStream",
        path: `/${SERVICE}/Watch`,
        name: "Watch",
        encode: encodeHealthResponse,
        handler: (request: HealthRequest, call: StreamCall<HealthResponse>) =>
          this.#watch(request, call),
      },
    ];
  }

  #letIn(call: UnaryCall<HealthResponse> | StreamCall<HealthResponse>): boolean {
    const refused = this.#refuse(call.context);
    if (refused !== null) call.fail(refused);
    return refused === null;
  }

  #status(): number {
    return this.#isServing() ? ServingStatus.Serving : ServingStatus.NotServing;
  }

  #check(request: HealthRequest, call: UnaryCall<HealthResponse>): void {
    if (!this.#letIn(call)) return;
    if (request.service !== "") call.fail(new EtcdError(GrpcCode.NotFound, "unknown service"));
    else call.succeed({ status: this.#status() });
  }

  #watch(request: HealthRequest, call: StreamCall<HealthResponse>): void {
    if (!this.#letIn(call)) return;
    if (request.service !== "") {
      call.send({ status: ServingStatus.ServiceUnknown });
      return;
    }
    const status = this.#status();
    this.#watchers.set(call, status);
    call.onAbort(() => this.#watchers.delete(call));
    call.send({ status });
  }
}

const SERVICE_TAG = 0x0a;
const STATUS_TAG = 0x08;
const ENTRY_TAG = 0x0a;
const VALUE_TAG = 0x12;

function decodeHealthRequest(bytes: Uint8Array, start: number, end: number): HealthRequest {
  const reader = new ProtoReader();
  reader.reset(bytes, start);
  let service = "";
  while (reader.position < end) {
    const tag = reader.tag(end);
    if (tag === SERVICE_TAG) service = reader.text(end);
    else reader.skip(tag, end);
  }
  return { service };
}

function encodeHealthResponse(writer: ProtoWriter, response: HealthResponse): void {
  if (response.status === 0) return;
  writer.varint32(STATUS_TAG);
  writer.varint32(response.status);
}

/** A map with the one entry for the empty service name. */
function encodeHealthList(writer: ProtoWriter, response: HealthResponse): void {
  writer.varint32(ENTRY_TAG);
  const entry = writer.beginNested();
  writer.varint32(SERVICE_TAG);
  writer.varint32(0);
  writer.varint32(VALUE_TAG);
  const value = writer.beginNested();
  encodeHealthResponse(writer, response);
  writer.endNested(value);
  writer.endNested(entry);
}
