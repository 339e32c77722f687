/**
 * The families of etcd's gRPC middleware, from the counters that the gRPC layer keeps and the gateway adds to.
 * Every method of the API has its series from the start, so that rates see the first failure; the lock and
 * election services appear with their first call.
 */
import { GRPC_CODE_NAMES, METHODS } from "../api/index.ts";
import { Histogram, Labelled, type MetricsRegistry, type Sample } from "../base/metrics.ts";
import { addLabelled } from "./metrics-instruments.ts";

/** What the gRPC layer counts; arrays by the method's place in `methods`. */
export interface GrpcCallCounts {
  readonly methods: readonly {
    readonly service: string;
    readonly name: string;
    readonly kind: string;
  }[];
  readonly started: Float64Array;
  /** At method * number of codes + code. */
  readonly handled: Float64Array;
  readonly messagesReceived: Float64Array;
  readonly messagesSent: Float64Array;
  readonly receivedBytes: number;
  readonly sentBytes: number;
}

/** Buckets of grpc_server_handling_seconds, the Prometheus library's own. */
const HANDLING_BUCKETS = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10];
const METHOD_LABELS = ["grpc_method", "grpc_service", "grpc_type"];

interface CountedMethod {
  readonly labels: readonly string[];
  /** Where the counters have it; -1 for a method that nothing serves. */
  readonly index: number;
  readonly isShownUnused: boolean;
}

/** How long calls took, fed by the gRPC layer with --metrics extensive. */
export class CallDurations {
  readonly series = new Labelled(() => new Histogram(HANDLING_BUCKETS));

  observe(method: { service: string; name: string; kind: string }, seconds: number): void {
    this.series.with(method.name, method.service, grpcType(method.kind)).observe(seconds);
  }
}

export function addGrpcFamilies(
  registry: MetricsRegistry,
  counts: GrpcCallCounts,
  durations: CallDurations | null,
): void {
  const methods = countedMethods(counts);
  const perMethod = (name: string, help: string, values: Float64Array): void => {
    registry.add({
      name,
      kind: "counter",
      help,
      labelNames: METHOD_LABELS,
      collect: () =>
        shown(methods, counts).map(({ labels, index }) => ({ labels, value: values[index] ?? 0 })),
    });
  };
  perMethod("grpc_server_started_total", "Calls begun.", counts.started);
  perMethod("grpc_server_msg_received_total", "Messages received.", counts.messagesReceived);
  perMethod("grpc_server_msg_sent_total", "Messages sent.", counts.messagesSent);
  registry.add({
    name: "grpc_server_handled_total",
    kind: "counter",
    help: "Calls ended, by code.",
    labelNames: ["grpc_code", ...METHOD_LABELS],
    collect: () => shown(methods, counts).flatMap((method) => handledSamples(method, counts)),
  });
  addBytes(registry, "received", () => counts.receivedBytes);
  addBytes(registry, "sent", () => counts.sentBytes);
  if (durations === null) return;
  addLabelled(
    registry,
    ["grpc_server_handling_seconds", "histogram", "Time from a call's begin to its end."],
    METHOD_LABELS,
    durations.series,
  );
}

function addBytes(registry: MetricsRegistry, way: string, read: () => number): void {
  registry.add({
    name: `etcd_network_client_grpc_${way}_bytes_total`,
    kind: "counter",
    help: `Bytes of gRPC messages ${way}.`,
    labelNames: [],
    collect: () => [{ labels: [], value: read() }],
  });
}

function countedMethods(counts: GrpcCallCounts): CountedMethod[] {
  const indexes = new Map(
    counts.methods.map((row, index) => [`${row.service}/${row.name}`, index]),
  );
  const methods: CountedMethod[] = METHODS.map((row) => {
    const kind = row.clientStream ? "bidiStream" : row.serverStream ? "serverStream" : "unary";
    const key = `${row.service}/${row.name}`;
    const index = indexes.get(key) ?? -1;
    indexes.delete(key);
    const isShownUnused = row.service.startsWith("etcdserverpb.");
    return { labels: [row.name, row.service, grpcType(kind)], index, isShownUnused };
  });
  for (const index of indexes.values()) {
    const { service, name, kind } = counts.methods[index]!;
    methods.push({ labels: [name, service, grpcType(kind)], index, isShownUnused: true });
  }
  return methods;
}

function shown(methods: readonly CountedMethod[], counts: GrpcCallCounts): CountedMethod[] {
  return methods.filter(
    (method) => method.isShownUnused || (counts.started[method.index] ?? 0) > 0,
  );
}

function handledSamples({ labels, index }: CountedMethod, counts: GrpcCallCounts): Sample[] {
  return GRPC_CODE_NAMES.map((code, number) => ({
    labels: [code, ...labels],
    value: counts.handled[index * GRPC_CODE_NAMES.length + number] ?? 0,
  }));
}

function grpcType(kind: string): string {
  return kind.replace("Stream", "_stream");
}
