export type { OpenStream, StreamListener } from "./caller.ts";
export { Client } from "./client.ts";
export { type Endpoint, type EndpointResult, parseEndpoint } from "./endpoint.ts";
export type { LeaseKeeper, LeaseListener } from "./lease-keeper.ts";
export { MessageQueue } from "./message-queue.ts";
export type {
  AttemptFailure,
  CallOptions,
  ClientOptions,
  PeerAddresses,
  TlsOptions,
} from "./options.ts";
export { etcdErrorOf, rpcErrorText } from "./status.ts";
export type { WatchHandle, WatchListener } from "./watcher.ts";
