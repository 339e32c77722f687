/** Opens every listening URL of a member: clients, HTTP alone, metrics, peers. */
import { METHODS } from "../../api/index.ts";
import {
  bindMethods,
  createApplication,
  createFetch,
  type FetchHandler,
  GrpcServer,
  HealthGrpcService,
  inflateGzip,
  Listener,
  type ListenerOptions,
  OutputPool,
} from "../../http/index.ts";
import type { RootLogger } from "../../io/bun/index.ts";
import type { Clock } from "../../io/index.ts";
import { PEER_PATH, type SocketPeerTransport } from "../../peer/index.ts";
import type { Member } from "../../server/index.ts";
import type { Config } from "./config.ts";
import { memberMetrics } from "./member-metrics.ts";
import { keepaliveOf, limitsOf, tlsFilesOf } from "./member-options.ts";
import { peerFetch } from "./peer-page.ts";

/** What gRPC allows a message on top of the largest request. */
const GRPC_OVERHEAD_BYTES = 512 * 1024;

export interface Edges {
  readonly grpc: GrpcServer;
  readonly health: HealthGrpcService;
  readonly client: FetchHandler;
  readonly metrics: FetchHandler;
}

export function makeEdges(config: Config, member: Member, clock: Clock, log: RootLogger): Edges {
  const services = member.api;
  const health = new HealthGrpcService(
    () => member.isServing(),
    (context) => member.gate.refuse(context),
  );
  member.raft.onLeadership(() => health.refresh());
  const messageBytesMax = config["max-request-bytes"] + GRPC_OVERHEAD_BYTES;
  const metrics = memberMetrics(member, config);
  const { durations } = metrics;
  const grpc = new GrpcServer({
    clock,
    methods: [
      ...bindMethods(METHODS, {
        "etcdserverpb.KV": services.kv,
        "etcdserverpb.Watch": services.watch,
        "etcdserverpb.Lease": services.lease,
        "etcdserverpb.Cluster": services.cluster,
        "etcdserverpb.Maintenance": services.maintenance,
      }),
      ...health.methods(),
    ],
    inflate: inflateGzip,
    messageBytesMax,
    ...(durations === null
      ? {}
      : { onHandled: (method, _code, seconds) => durations.observe(method, seconds) }),
  });
  const renderMetrics = metrics.renderer(grpc.counters);
  const application = (scope: "client" | "metrics"): FetchHandler => {
    const fetch = createFetch(
      createApplication({
        services,
        clock,
        logger: log.named("http/json"),
        scope,
        gateway: config["enable-grpc-gateway"],
        messageBytesMax,
        requestTimeoutMs: 5000 + 2 * config["election-timeout"],
        corsOrigins: config.cors,
        hostWhitelist: config["host-whitelist"],
        certificateNamesCount: () => false,
        callCounters: grpc.counters,
        healthCounters: metrics.probes,
        renderMetrics,
        debugVars: () => ({ cmdline: process.argv }),
      }),
    );
    return (request, info) => fetch(request, info);
  };
  return { grpc, health, client: application("client"), metrics: application("metrics") };
}

export interface MemberListeners {
  readonly peer: readonly Listener[];
  /** Clients, HTTP alone, metrics. */
  readonly client: readonly Listener[];
}

export function makeListeners(
  config: Config,
  member: Member,
  transport: SocketPeerTransport,
  edges: Edges,
  clock: Clock,
  log: RootLogger,
  connectionsMax: number,
): MemberListeners {
  const common = {
    connectionsMax,
    clock,
    logger: log.named("http/listener"),
    limits: limitsOf(config),
    keepalive: keepaliveOf(config),
    pool: new OutputPool(),
  };
  const clientTls = tlsFilesOf(config, "client");
  const peerTls = tlsFilesOf(config, "peer");
  const open = (url: string, extra: Partial<ListenerOptions>) =>
    new Listener({ ...common, url, ...extra });
  const client = clientTls === undefined ? {} : { tls: clientTls };
  const peer = peerTls === undefined ? {} : { tls: peerTls };
  const apart = config["listen-client-http-urls"];
  const upgrade = {
    path: PEER_PATH,
    accept: (...args: Parameters<SocketPeerTransport["accept"]>) => transport.accept(...args),
  };
  return {
    peer: config["listen-peer-urls"].map((url) =>
      open(url, { ...peer, fetch: peerFetch(member, edges.client), upgrade, name: "peer" }),
    ),
    client: [
      ...config["listen-client-urls"].map((url) =>
        open(url, {
          ...client,
          grpc: edges.grpc,
          ...(apart.length === 0 ? { fetch: edges.client } : {}),
        }),
      ),
      ...apart.map((url) => open(url, { ...client, fetch: edges.client })),
      ...config["listen-metrics-urls"].map((url) => open(url, { ...client, fetch: edges.metrics })),
    ],
  };
}
