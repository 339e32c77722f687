/**
 * Opens a connection to a peer URL: the one file of peer/ that names sockets. With https the server's certificate
 * must be signed by the trusted CA and name the URL's host; the own certificate is presented as a client's.
 */
import { connect as connectPlain, isIP, type Socket } from "node:net";
import { connect as connectTls, type TLSSocket } from "node:tls";
import {
  certificateProblem,
  readTlsClientMaterial,
  TlsConfigError,
  type TlsFiles,
} from "../tls/index.ts";
import { type Dial, DialFailure, type Dialing, type PeerSocket } from "./peer-socket.ts";
import { type PeerTarget, parsePeerUrl } from "./peer-url.ts";

/** Without files, https URLs are dialed with the system's roots and no certificate of one's own. */
export function dialWith(files: TlsFiles | undefined): Dial {
  return (url, timeoutMs, done) => dial(url, files, timeoutMs, done);
}

function dial(
  url: string,
  files: TlsFiles | undefined,
  timeoutMs: number,
  done: (outcome: PeerSocket | DialFailure) => void,
): Dialing {
  let open = true;
  const settle = (outcome: PeerSocket | DialFailure): void => {
    if (!open) return;
    open = false;
    clearTimeout(timer);
    done(outcome);
  };
  const timer = setTimeout(() => {
    settle(new DialFailure(`dial ${url}: i/o timeout`));
    socket?.destroy();
  }, timeoutMs);
  const socket = connect(url, files, settle);
  return {
    cancel: () => {
      if (!open) return;
      open = false;
      clearTimeout(timer);
      socket?.destroy();
    },
  };
}

/** Null when nothing could even be tried; the reason then comes in a later turn. */
function connect(
  url: string,
  files: TlsFiles | undefined,
  settle: (outcome: PeerSocket | DialFailure) => void,
): Socket | null {
  const failLater = (reason: string): null => {
    setTimeout(() => settle(new DialFailure(reason)), 0);
    return null;
  };
  const target = parsePeerUrl(url);
  if (target === null) return failLater(`bad peer URL ${url}`);
  let socket: Socket;
  try {
    socket = target.isTls ? secureSocket(target, files, settle) : plainSocket(target);
  } catch (error) {
    if (!(error instanceof TlsConfigError)) return failLater(`dial ${url}: ${String(error)}`);
    return failLater(error.message);
  }
  socket.on("error", (error) => settle(new DialFailure(`dial ${url}: ${error.message}`)));
  socket.on("close", () => settle(new DialFailure(`dial ${url}: connection closed`)));
  if (!target.isTls) socket.on("connect", () => settle(socket));
  socket.setNoDelay(true);
  return socket;
}

function plainSocket({ host, port, path }: PeerTarget): Socket {
  return path === "" ? connectPlain({ host, port }) : connectPlain({ path });
}

function secureSocket(
  target: PeerTarget,
  files: TlsFiles | undefined,
  settle: (outcome: PeerSocket | DialFailure) => void,
): TLSSocket {
  const { host, port, path } = target;
  const material = files === undefined ? {} : readTlsClientMaterial(files);
  const address = path === "" ? { host, port } : { path };
  const socket = connectTls({
    ...address,
    ...material,
    // An address is no server name (RFC 6066, 3), and is compared with the certificate's addresses.
    ...(isIP(host) === 0 && host !== "" ? { servername: host } : {}),
    ALPNProtocols: ["http/1.1"],
    rejectUnauthorized: true,
  });
  socket.on("secureConnect", () => {
    const problem = files === undefined ? null : certificateProblem(socket, files);
    if (problem === null) settle(socket);
    else {
      settle(new DialFailure(problem));
      socket.destroy();
    }
  });
  return socket;
}
