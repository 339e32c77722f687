/**
 * Tells a supervisor (systemd, Type=notify) that the member is ready: the datagram READY=1 to $NOTIFY_SOCKET. The
 * runtime has no datagram unix sockets, so the system's own helper sends it where there is one.
 */
import type { Logger } from "../../io/index.ts";

export function notifySupervisor(log: Logger): void {
  if ((process.env.NOTIFY_SOCKET ?? "") === "") return;
  log.info("notifying init daemon");
  try {
    const run = Bun.spawnSync(["systemd-notify", `--pid=${process.pid}`, "READY=1"]);
    if (run.exitCode === 0) log.info("successfully notified init daemon");
    else log.warn("failed to notify init daemon", { error: run.stderr.toString() });
  } catch (error) {
    log.warn("failed to notify init daemon", { error: (error as Error).message });
  }
}
