/**
 * Tells a supervisor (systemd, Type=notify) that the member is ready: the datagram READY=1 to $NOTIFY_SOCKET, from
 * this process itself, since by default it listens to no other. Nothing else is ever sent, as etcd does.
 */
import { libc } from "../../io/bun/index.ts";
import type { Logger } from "../../io/index.ts";

const READY = new TextEncoder().encode("READY=1");

export function notifySupervisor(socketPath: string, log: Logger): void {
  log.info("notifying init daemon");
  if (socketPath !== "" && libc()?.sendDatagram(socketPath, READY) !== true) {
    log.warn("failed to notify init daemon", { error: `no datagram can be sent to ${socketPath}` });
    return;
  }
  log.info("successfully notified init daemon");
}
