/** Door of the JSON gateway. */

export type { ConnectionInfo } from "./call-context.ts";
export type { CallCounters } from "./call-counters.ts";
export { type GatewayHandler, type GatewayOptions, gatewayRoutes } from "./gateway.ts";
export { errorResponse, gatewayError } from "./http-status.ts";
export type { StreamLimits } from "./stream-call.ts";
