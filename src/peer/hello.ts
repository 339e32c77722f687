/**
 * How members introduce themselves: the fields of the upgrade request, under etcd's names where etcd has one, and the
 * reasons to turn somebody away. Pure.
 *
 * Versions: each side names the oldest protocol and the oldest server it gets along with; the connection speaks the
 * newest protocol that both know.
 */
import { type LeaseSettings, leaseFields, parseLeaseSettings } from "./lease-settings.ts";

export const PEER_PATH = "/cairn/peer";
export const UPGRADE_NAME = "cairn-peer";
/** What this code speaks, and the oldest that it still understands. */
export const PROTOCOL = 1;
const PROTOCOL_MIN = 1;
/** The oldest server version whose members share a cluster with this one. */
const MIN_CLUSTER_VERSION = "3.7.0";

export type ChannelKind = "messages" | "snapshot";

export interface Hello {
  readonly clusterId: bigint;
  readonly from: bigint;
  readonly to: bigint;
  readonly channel: ChannelKind;
  readonly serverVersion: string;
  readonly minClusterVersion: string;
  readonly protocol: number;
  readonly protocolMin: number;
  /** The sender's advertised peer URLs. */
  readonly peerUrls: readonly string[];
  /** Null: it does not run in lease mode. */
  readonly lease: LeaseSettings | null;
}

export type Field = readonly [name: string, value: string];

const PEER_URLS_MAX = 16;
const URL_LENGTH_MAX = 2048;

export function ownHello(
  own: Pick<
    Hello,
    "clusterId" | "from" | "to" | "channel" | "serverVersion" | "peerUrls" | "lease"
  >,
): Hello {
  return {
    ...own,
    minClusterVersion: MIN_CLUSTER_VERSION,
    protocol: PROTOCOL,
    protocolMin: PROTOCOL_MIN,
  };
}

export function helloFields(hello: Hello): Field[] {
  return [
    ["Connection", "Upgrade"],
    ["Upgrade", UPGRADE_NAME],
    ["X-Etcd-Cluster-Id", hello.clusterId.toString(16)],
    ["X-Server-From", hello.from.toString(16)],
    ["X-Raft-To", hello.to.toString(16)],
    ["X-Server-Version", hello.serverVersion],
    ["X-Min-Cluster-Version", hello.minClusterVersion],
    ["X-PeerURLs", hello.peerUrls.join(",")],
    ["Cairn-Protocol", `${hello.protocol}`],
    ["Cairn-Protocol-Min", `${hello.protocolMin}`],
    ["Cairn-Channel", hello.channel],
    ...(hello.lease === null ? [] : leaseFields(hello.lease)),
  ];
}

/** What is wrong with the fields, as a text, if they are no introduction. Names are in lower case. */
export function parseHello(headers: ReadonlyMap<string, string>): Hello | string {
  const text = (name: string): string => headers.get(name) ?? "";
  const id = (name: string): bigint | null => {
    const value = text(name);
    return /^[0-9a-fA-F]{1,16}$/.test(value) ? BigInt(`0x${value}`) : null;
  };
  if (text("upgrade").toLowerCase() !== UPGRADE_NAME)
    return `the upgrade must be to ${UPGRADE_NAME}`;
  const clusterId = id("x-etcd-cluster-id");
  const from = id("x-server-from");
  const to = id("x-raft-to");
  if (clusterId === null) return "X-Etcd-Cluster-Id is no id";
  if (from === null || from === 0n) return "X-Server-From is no id";
  if (to === null) return "X-Raft-To is no id";
  const protocol = smallNumber(text("cairn-protocol"));
  const protocolMin = smallNumber(text("cairn-protocol-min"));
  if (protocol === null || protocolMin === null) return "Cairn-Protocol is no number";
  const channel = text("cairn-channel");
  if (channel !== "messages" && channel !== "snapshot") return "Cairn-Channel is not known";
  const serverVersion = text("x-server-version");
  const minClusterVersion = text("x-min-cluster-version");
  if (levelOf(serverVersion) === null) return "X-Server-Version is no version";
  if (levelOf(minClusterVersion) === null) return "X-Min-Cluster-Version is no version";
  const peerUrls = text("x-peerurls")
    .split(",")
    .filter((url) => url !== "");
  if (peerUrls.length > PEER_URLS_MAX) return "X-PeerURLs has too many URLs";
  if (peerUrls.some((url) => url.length > URL_LENGTH_MAX)) return "X-PeerURLs has too long a URL";
  const lease = parseLeaseSettings(headers);
  if (typeof lease === "string") return lease;
  return {
    ...{ clusterId, from, to, channel, serverVersion, minClusterVersion },
    ...{ protocol, protocolMin, peerUrls, lease },
  };
}

/** What the accepting side knows. */
export interface LocalMember {
  readonly memberId: bigint;
  readonly clusterId: bigint;
  readonly serverVersion: string;
  isRemoved(member: bigint): boolean;
}

export interface HelloRefusal {
  readonly status: 410 | 412;
  /** For the log of both sides: etcd's words where it has some. */
  readonly cause: string;
}

/** Null: welcome. The removed are told so before anything else is compared. */
export function helloRefusal(hello: Hello, local: LocalMember): HelloRefusal | null {
  const refuse = (cause: string): HelloRefusal => ({ status: 412, cause });
  if (hello.clusterId !== local.clusterId) return refuse("cluster ID mismatch");
  if (local.isRemoved(hello.from)) {
    return { status: 410, cause: "the member has been permanently removed from the cluster" };
  }
  if (hello.to !== local.memberId) return refuse("member ID mismatch");
  if (hello.from === local.memberId) return refuse("another process runs as the same member");
  if (hello.protocol < PROTOCOL_MIN || hello.protocolMin > PROTOCOL) {
    return refuse(
      `incompatible peer protocol (${hello.protocolMin} to ${hello.protocol}, ` +
        `this member speaks ${PROTOCOL_MIN} to ${PROTOCOL})`,
    );
  }
  if (isOlder(hello.serverVersion, MIN_CLUSTER_VERSION)) {
    return refuse(`incompatible server version (${hello.serverVersion} is too old)`);
  }
  if (isOlder(local.serverVersion, hello.minClusterVersion)) {
    return refuse(`incompatible server version (${local.serverVersion} is too old for the sender)`);
  }
  return null;
}

/** By major and minor alone, as etcd compares. */
function isOlder(version: string, than: string): boolean {
  const [a, b] = [levelOf(version), levelOf(than)];
  return a !== null && b !== null && a < b;
}

function levelOf(version: string): number | null {
  const parts = /^(\d{1,4})\.(\d{1,4})(?:\.\d{1,6})?(?:[-+][\w.+-]{1,64})?$/.exec(version);
  return parts === null ? null : Number(parts[1]) * 10_000 + Number(parts[2]);
}

function smallNumber(text: string): number | null {
  return /^\d{1,6}$/.test(text) ? Number(text) : null;
}
