/** SIGTERM and SIGINT: refuse what comes, finish what runs, close the files, then die of the signal as etcd does. */
import type { Listener } from "../../http/index.ts";
import type { RootLogger } from "../../io/bun/index.ts";
import type { Member } from "../../server/index.ts";
import type { Config } from "./config.ts";

const STOP_GRACE_MS = 2000;
const SIGNALS = { SIGTERM: "terminated", SIGINT: "interrupt" } as const;
type Signal = keyof typeof SIGNALS;

export function stopOnSignal(
  member: Member,
  listeners: readonly Listener[],
  config: Config,
  log: RootLogger,
): void {
  let stopping = false;
  const stop = async (signal: Signal): Promise<void> => {
    // One more signal changes nothing: the end is under way.
    if (stopping) return;
    stopping = true;
    log.info("received signal; shutting down", { signal: SIGNALS[signal] });
    await stopMember(member, listeners, config, log);
    // The first process of a container cannot die of a signal.
    if (process.pid === 1) process.exit(0);
    process.removeAllListeners(signal);
    process.kill(process.pid, signal);
  };
  process.on("SIGTERM", () => void stop("SIGTERM"));
  process.on("SIGINT", () => void stop("SIGINT"));
}

export async function stopMember(
  member: Member,
  listeners: readonly Listener[],
  config: Config,
  log: RootLogger,
): Promise<void> {
  const fields = {
    name: config.name,
    "data-dir": config["data-dir"],
    "advertise-peer-urls": config["initial-advertise-peer-urls"],
    "advertise-client-urls": config["advertise-client-urls"],
  };
  log.info("closing etcd server", fields);
  // While clients are still served: their writes go on through the next leader.
  await new Promise<void>((done) => member.handOver(done));
  await Promise.all(listeners.map((listener) => listener.stop(STOP_GRACE_MS)));
  await new Promise<void>((done) => member.stop(done));
  log.info("closed etcd server", fields);
}
