/** Door of the edges that speak HTTP: listeners, gRPC, and the handler type that the JSON side provides. */
export type { FetchHandler, RequestInfo } from "./fetch-handler.ts";
export type { GrpcMethod, GrpcPeer, GrpcServerOptions } from "./grpc/index.ts";
export {
  bindMethods,
  CODE_COUNT,
  GrpcCounters,
  GrpcServer,
  HealthGrpcService,
} from "./grpc/index.ts";
export type { HealthCounters } from "./health.ts";
export {
  type Application,
  type ApplicationOptions,
  createApplication,
  createFetch,
} from "./hono-app.ts";
export type { Http2Limits, KeepaliveOptions } from "./http2/index.ts";
export {
  AnswerBudget,
  DEFAULT_HTTP2_LIMITS,
  DEFAULT_KEEPALIVE,
  OutputPool,
} from "./http2/index.ts";
export type { ListenerOptions } from "./listener.ts";
export { Listener } from "./listener.ts";
export type { UpgradeHandler, UpgradeRequest } from "./listener-first-bytes.ts";
export { inflateGzip } from "./listener-inflate.ts";
export { createMetricsRenderer, type MetricsOptions } from "./metrics.ts";
export { CallDurations, type GrpcCallCounts } from "./metrics-grpc.ts";
export { ProbeCounters } from "./metrics-health.ts";
