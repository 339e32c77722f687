/**
 * The accepting side: decides who may come in, and keeps what came in. Everybody else gets an HTTP status and a text,
 * and the log says so once for each sender and cause:
 *
 *   400 no introduction    404 unknown, and nowhere to be reached    410 removed for good
 *   412 another cluster, another member, an incompatible version     503 this member is starting
 *
 * A sender of the same cluster that is not known here is let in if it says where it can be reached: this member may
 * lag behind the change that added it, and may be able to catch up from nobody else. It is answered for as long as
 * its connection stays.
 */
import {
  type Hello,
  type HelloRefusal,
  helloRefusal,
  PROTOCOL,
  parseHello,
  UPGRADE_NAME,
} from "./hello.ts";
import { responseHead } from "./http-head.ts";
import { IncomingChannel } from "./incoming-channel.ts";
import { type LeaseSettings, leaseFields } from "./lease-settings.ts";
import type { PeerCounters } from "./peer-counters.ts";
import type { PeerServices } from "./peer-services.ts";
import type { PeerSocket } from "./peer-socket.ts";
import { SnapshotReceiving } from "./snapshot-receiving.ts";
import type { PeerEvents } from "./types.ts";

/** An upgrade request as the listener hands it over. */
export interface UpgradeRequest {
  /** Names in lower case. */
  readonly headers: ReadonlyMap<string, string>;
  readonly peerAddress: string;
}

/** What the acceptor needs of the transport. */
export interface AcceptorHost {
  readonly services: PeerServices;
  readonly events: PeerEvents;
  readonly clusterId: bigint;
  readonly serverVersion: string;
  isRemoved(member: bigint): boolean;
  /** Another member has just dialed; false when it is unknown and cannot be answered. */
  welcome(member: bigint, peerUrls: readonly string[], lease: LeaseSettings | null): boolean;
  /** The messages' connection of a member ended. */
  left(member: bigint): void;
  countersOf(member: bigint): PeerCounters;
}

const STATUS_TEXTS: Readonly<Record<number, string>> = {
  400: "Bad Request",
  404: "Not Found",
  410: "Gone",
  412: "Precondition Failed",
  503: "Service Unavailable",
};
const LINGER_MS = 1000;
const LOGGED_SENDERS_MAX = 1000;

export class PeerAcceptor {
  readonly #host: AcceptorHost;
  readonly #channels = new Map<bigint, IncomingChannel>();
  readonly #receivings = new Map<bigint, SnapshotReceiving>();
  /** The cause that was logged last, by sender. */
  readonly #logged = new Map<string, string>();

  constructor(host: AcceptorHost) {
    this.#host = host;
  }

  accept(request: UpgradeRequest, socket: PeerSocket, head: Uint8Array): void {
    const hello = parseHello(request.headers);
    if (typeof hello === "string") {
      this.#refuse(request, null, socket, 400, hello);
      return;
    }
    const refusal = this.#refusalOf(hello);
    if (refusal !== null) {
      this.#refuse(request, hello, socket, refusal.status, refusal.cause);
      return;
    }
    // Nobody is learned of by a snapshot: only the end of the messages' connection makes one forgotten again.
    const urls = hello.channel === "messages" ? hello.peerUrls : [];
    if (!this.#host.welcome(hello.from, urls, hello.lease)) {
      const cause = "the member is not known here and has no peer URL to be answered at";
      this.#refuse(request, hello, socket, 404, cause);
      return;
    }
    this.#logged.delete(hello.from.toString(16));
    socket.write(this.#welcomeHead());
    if (hello.channel === "messages") this.#openMessages(hello.from, socket, head);
    else this.#receivingOf(hello.from).accept(socket, head);
  }

  has(member: bigint): boolean {
    return this.#channels.has(member);
  }

  check(): void {
    for (const channel of [...this.#channels.values()]) channel.check();
    for (const receiving of [...this.#receivings.values()]) receiving.check();
  }

  /** The member does not belong here any more; it is told why when it dials again. */
  drop(member: bigint): void {
    this.#channels.get(member)?.end();
    this.#channels.delete(member);
    this.#receivings.get(member)?.drop();
    this.#receivings.delete(member);
  }

  stop(): void {
    for (const channel of this.#channels.values()) channel.end();
    for (const receiving of this.#receivings.values()) receiving.end();
    this.#channels.clear();
    this.#receivings.clear();
  }

  #refusalOf(hello: Hello): HelloRefusal | null {
    const { services, clusterId, serverVersion } = this.#host;
    const isRemoved = (member: bigint): boolean => this.#host.isRemoved(member);
    return helloRefusal(hello, {
      memberId: services.memberId,
      clusterId,
      serverVersion,
      isRemoved,
    });
  }

  #openMessages(member: bigint, socket: PeerSocket, head: Uint8Array): void {
    const { services, events } = this.#host;
    // The other side opened a new one, so it has given up the one before.
    this.#channels.get(member)?.end();
    const counters = this.#host.countersOf(member);
    const channel = new IncomingChannel(member, socket, services, events, counters, (ended) => {
      if (this.#channels.get(member) !== ended) return;
      this.#channels.delete(member);
      this.#host.left(member);
    });
    this.#channels.set(member, channel);
    channel.receive(head);
  }

  #receivingOf(member: bigint): SnapshotReceiving {
    let receiving = this.#receivings.get(member);
    if (receiving === undefined) {
      const { services, events } = this.#host;
      const counters = this.#host.countersOf(member);
      receiving = new SnapshotReceiving(member, services, events, (accepted) => {
        if (accepted) counters.snapshotsReceived++;
        else counters.snapshotReceiveFailures++;
      });
      this.#receivings.set(member, receiving);
    }
    return receiving;
  }

  #welcomeHead(): Uint8Array {
    return responseHead("101 Switching Protocols", [
      ["Connection", "Upgrade"],
      ["Upgrade", UPGRADE_NAME],
      ...this.#ownFields(),
      ["Cairn-Protocol", `${PROTOCOL}`],
      ...leaseFields(this.#host.services.leaseSettings),
    ]);
  }

  #ownFields(): [string, string][] {
    const { services, clusterId, serverVersion } = this.#host;
    return [
      ["X-Etcd-Cluster-Id", clusterId.toString(16)],
      ["X-Server-From", services.memberId.toString(16)],
      ["X-Server-Version", serverVersion],
    ];
  }

  #refuse(
    request: UpgradeRequest,
    hello: Hello | null,
    socket: PeerSocket,
    status: number,
    cause: string,
  ): void {
    this.#logRefusal(request, hello, cause);
    refuseUpgrade(socket, status, cause, this.#ownFields());
    this.#host.services.options.clock.setTimer(LINGER_MS, () => socket.destroy());
  }

  #logRefusal(request: UpgradeRequest, hello: Hello | null, cause: string): void {
    const sender = hello?.from.toString(16) ?? request.peerAddress.replace(/:\d+$/, "");
    if (this.#logged.get(sender) === cause) return;
    if (this.#logged.size >= LOGGED_SENDERS_MAX) this.#logged.clear();
    this.#logged.set(sender, cause);
    const { services, clusterId, serverVersion } = this.#host;
    const isOtherCluster = hello !== null && hello.clusterId !== clusterId;
    const text = isOtherCluster ? "request cluster ID mismatch" : "rejected a peer's connection";
    services.options.logger.warn(text, {
      "local-member-id": services.memberId.toString(16),
      "local-member-cluster-id": clusterId.toString(16),
      "local-member-server-version": serverVersion,
      "remote-peer-server-name": sender,
      "remote-peer-server-version": hello?.serverVersion ?? "",
      "remote-peer-server-minimum-cluster-version": hello?.minClusterVersion ?? "",
      "remote-peer-cluster-id": hello?.clusterId.toString(16) ?? "",
      "remote-addr": request.peerAddress,
      error: cause,
    });
  }
}

/** Says no in HTTP and ends the connection. */
export function refuseUpgrade(
  socket: PeerSocket,
  status: number,
  cause: string,
  fields: readonly (readonly [string, string])[] = [],
): void {
  const body = `${cause}\n`;
  const head = responseHead(
    `${status} ${STATUS_TEXTS[status] ?? "Refused"}`,
    [
      ["Connection", "close"],
      ["Content-Type", "text/plain; charset=utf-8"],
      ["Content-Length", `${body.length}`],
      ...fields,
    ],
    body,
  );
  socket.write(head);
  socket.end();
}
