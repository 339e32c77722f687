/**
 * The dialing side's handshake: connect, send the upgrade request, read the answer. Ends in a socket that speaks
 * frames, or in a failure that says why, with the other side's words if it refused.
 */
import { concatBytes, utf8Text } from "../base/bytes.ts";
import { type Hello, helloFields, PEER_PATH, PROTOCOL } from "./hello.ts";
import { parseResponseHead, type ResponseHead, requestHead } from "./http-head.ts";
import { type LeaseSettings, parseLeaseSettings } from "./lease-settings.ts";
import { type Dial, DialFailure, type Dialing, type PeerSocket } from "./peer-socket.ts";
import { hostField, parsePeerUrl } from "./peer-url.ts";

export interface OpenChannel {
  readonly socket: PeerSocket;
  /** Bytes that came with the answer. */
  readonly head: Uint8Array;
  readonly serverVersion: string;
  /** Of the member that answered; null: it does not run in lease mode. */
  readonly lease: LeaseSettings | null;
}

export class ChannelFailure {
  readonly reason: string;
  /** This member was removed, says a member of the same cluster. */
  readonly isRemoved: boolean;

  constructor(reason: string, isRemoved = false) {
    this.reason = reason;
    this.isRemoved = isRemoved;
  }
}

const REFUSAL_BYTES_MAX = 4096;

/** `done` is called once, in a later turn, unless cancelled. */
export function openChannel(
  dial: Dial,
  url: string,
  hello: Hello,
  timeoutMs: number,
  done: (outcome: OpenChannel | ChannelFailure) => void,
): Dialing {
  let socket: PeerSocket | null = null;
  let cancelled = false;
  const dialing = dial(url, timeoutMs, (outcome) => {
    if (outcome instanceof DialFailure) {
      done(new ChannelFailure(outcome.reason));
      return;
    }
    socket = outcome;
    shakeHands(outcome, url, hello, (result) => {
      if (!cancelled) done(result);
    });
  });
  return {
    cancel: () => {
      cancelled = true;
      dialing.cancel();
      socket?.destroy();
    },
  };
}

/** Only the caller's cancelling bounds the time: whoever dials sets a timer over all of it. */
function shakeHands(
  socket: PeerSocket,
  url: string,
  hello: Hello,
  done: (outcome: OpenChannel | ChannelFailure) => void,
): void {
  let received: Uint8Array = new Uint8Array(0);
  let isOpen = true;
  const settle = (outcome: OpenChannel | ChannelFailure): void => {
    if (!isOpen) return;
    isOpen = false;
    if (outcome instanceof ChannelFailure) socket.destroy();
    done(outcome);
  };
  const look = (isEnd: boolean): void => {
    const head = parseResponseHead(received);
    if (typeof head === "string") settle(new ChannelFailure(`${url}: ${head}`));
    else if (head === null) {
      if (isEnd) settle(new ChannelFailure(`${url}: connection closed without an answer`));
    } else if (head.status === 101) settle(opened(socket, head, received, url));
    else if (isEnd || isWhole(head, received)) settle(refused(head, received, url, hello));
  };
  socket.on("data", (chunk) => {
    if (!isOpen) return;
    received = received.length === 0 ? chunk : concatBytes([received, chunk]);
    look(false);
  });
  socket.on("error", (error) => settle(new ChannelFailure(`${url}: ${error.message}`)));
  socket.on("close", () => {
    if (isOpen) look(true);
  });
  const target = parsePeerUrl(url);
  const host = target === null ? "" : hostField(target);
  socket.write(requestHead(PEER_PATH, host, helloFields(hello)));
}

function opened(
  socket: PeerSocket,
  head: ResponseHead,
  received: Uint8Array,
  url: string,
): OpenChannel | ChannelFailure {
  const protocol = head.headers.get("cairn-protocol") ?? "";
  if (protocol !== `${PROTOCOL}`) {
    return new ChannelFailure(`${url}: incompatible peer protocol ${protocol}`);
  }
  const serverVersion = head.headers.get("x-server-version") ?? "";
  const lease = parseLeaseSettings(head.headers);
  if (typeof lease === "string") return new ChannelFailure(`${url}: ${lease}`);
  return { socket, head: received.subarray(head.bodyOffset), serverVersion, lease };
}

function refused(
  head: ResponseHead,
  received: Uint8Array,
  url: string,
  hello: Hello,
): ChannelFailure {
  const field = (name: string): string => head.headers.get(name)?.toLowerCase() ?? "";
  const body = utf8Text(received.subarray(head.bodyOffset).subarray(0, REFUSAL_BYTES_MAX)).trim();
  // Only the member that was meant may say that this one was removed, and only of the same cluster.
  const isRemoved =
    head.status === 410 &&
    field("x-etcd-cluster-id") === hello.clusterId.toString(16) &&
    field("x-server-from") === hello.to.toString(16);
  // What any other server says of a path it does not know: a real etcd's member in the list of peers, for one.
  const cause = head.status === 404 ? "no cairn member answers there: " : "";
  return new ChannelFailure(`${url}: ${cause}${head.status} ${body}`, isRemoved);
}

function isWhole(head: ResponseHead, received: Uint8Array): boolean {
  const length = Number(head.headers.get("content-length") ?? Number.NaN);
  const have = received.length - head.bodyOffset;
  return have >= length || have >= REFUSAL_BYTES_MAX;
}
