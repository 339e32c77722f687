/** Door of the HTTP/2 server layer. */
export type { AnswerAccount } from "./answer-budget.ts";
export { AnswerBudget } from "./answer-budget.ts";
export type { ConnectionHost, ConnectionOptions, RequestHandler } from "./connection.ts";
export { Http2Connection } from "./connection.ts";
export { CLIENT_PREFACE, ErrorCode } from "./frame.ts";
export { RepeatedBlock } from "./hpack-encoder.ts";
export type { KeepaliveOptions } from "./keepalive.ts";
export { DEFAULT_KEEPALIVE, IdleWatch } from "./keepalive.ts";
export type { Http2Limits } from "./limits.ts";
export { DEFAULT_HTTP2_LIMITS } from "./limits.ts";
export { OutputPool } from "./output-pool.ts";
export type { RequestHead } from "./request-head.ts";
export type { StreamConsumer } from "./stream.ts";
export { Http2Stream } from "./stream.ts";
