/** Door of the gRPC layer. */
export type { Peer } from "./call-plan.ts";
export { isGrpcRequest } from "./call-plan.ts";
export { CODE_COUNT, GrpcCounters } from "./counters.ts";
export type { GrpcPeer } from "./grpc-peer.ts";
export type { GrpcServerOptions } from "./grpc-server.ts";
export { GrpcServer } from "./grpc-server.ts";
export { HealthGrpcService, ServingStatus } from "./health-service.ts";
export type { Inflate } from "./message-assembler.ts";
export type { GrpcMethod, MethodKind } from "./method-table.ts";
export { bindMethods, MethodTable } from "./method-table.ts";
