/**
 * The RPCs a server knows: path -> codecs and handler. Built once at start; a method's `index` numbers its
 * counters.
 */
import type {
  MethodRow,
  ProtoWriter,
  RequestStream,
  StreamCall,
  UnaryCall,
} from "../../api/index.ts";
import { assert } from "../../base/assert.ts";

export type MethodKind = "unary" | "serverStream" | "bidiStream";

interface MethodBase {
  readonly path: string;
  readonly service: string;
  readonly name: string;
  readonly decode: (bytes: Uint8Array, start: number, end: number) => unknown;
  readonly encode: (writer: ProtoWriter, message: never) => void;
}

export interface UnaryMethod extends MethodBase {
  readonly kind: "unary";
  readonly handler: (request: never, call: UnaryCall<never>) => void;
}

export interface ServerStreamMethod extends MethodBase {
  readonly kind: "serverStream";
  readonly handler: (request: never, call: StreamCall<never>) => void;
}

export interface BidiStreamMethod extends MethodBase {
  readonly kind: "bidiStream";
  readonly handler: (requests: RequestStream<never>, call: StreamCall<never>) => void;
}

export type GrpcMethod = UnaryMethod | ServerStreamMethod | BidiStreamMethod;

/** A method within its table. */
export interface TableEntry {
  readonly index: number;
  readonly method: GrpcMethod;
}

export class MethodTable {
  readonly methods: readonly GrpcMethod[];
  readonly #byPath = new Map<string, TableEntry>();
  readonly #services = new Set<string>();

  constructor(methods: readonly GrpcMethod[]) {
    this.methods = methods;
    for (let index = 0; index < methods.length; index++) {
      const method = methods[index]!;
      assert(!this.#byPath.has(method.path), `method ${method.path} is registered twice`);
      this.#byPath.set(method.path, { index, method });
      this.#services.add(method.service);
    }
  }

  find(path: string): TableEntry | undefined {
    return this.#byPath.get(path);
  }

  hasService(service: string): boolean {
    return this.#services.has(service);
  }
}

/**
 * Joins the generated rows with the objects that implement them: `implementations` by service name, methods by
 * the RPC's name in lower camel case. Rows whose service or method is not there are left out, and are answered
 * as unknown.
 */
export function bindMethods(
  rows: readonly MethodRow[],
  implementations: Readonly<Record<string, object>>,
): GrpcMethod[] {
  const methods: GrpcMethod[] = [];
  for (const row of rows) {
    const service = implementations[row.service] as Record<string, unknown> | undefined;
    const name = row.name[0]!.toLowerCase() + row.name.slice(1);
    const implementation = service?.[name];
    if (typeof implementation !== "function") continue;
    methods.push({
      kind: row.clientStream ? "bidiStream" : row.serverStream ? "serverStream" : "unary",
      path: row.path,
      service: row.service,
      name: row.name,
      decode: row.decodeRequest,
      encode: row.encodeResponse,
      handler: implementation.bind(service),
    } as GrpcMethod);
  }
  return methods;
}
