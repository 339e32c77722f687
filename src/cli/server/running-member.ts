/**
 * A member that runs, and how it ends: SIGTERM and SIGINT hand leadership over, refuse what comes, finish what runs,
 * close the files and die of the signal as etcd does; a member that was removed from its cluster ends by itself, with
 * status 0.
 */
import type { RootLogger } from "../../io/bun/index.ts";
import type { Member } from "../../server/index.ts";
import type { Config } from "./config.ts";
import type { MemberListeners } from "./listeners.ts";

const STOP_GRACE_MS = 2000;
/**
 * A removed member goes on for so long, and at least for etcd's second: others may still have to hear from it that it
 * is gone. Where they do not, and count it on, they have no majority without its answer to their next election, which
 * may begin two election timeouts later and lose messages.
 */
const REMOVED_GRACE_ELECTIONS = 4;
const REMOVED_GRACE_MS_MIN = 1000;
const SIGNALS = { SIGTERM: "terminated", SIGINT: "interrupt" } as const;
type Signal = keyof typeof SIGNALS;

export class RunningMember {
  readonly #config: Config;
  readonly #log: RootLogger;
  #member: Member | null = null;
  #listeners: MemberListeners = { client: [], peer: [] };
  #stopping = false;

  constructor(config: Config, log: RootLogger) {
    this.#config = config;
    this.#log = log;
  }

  /** From here on signals end it in good order, also while it waits for others to start. */
  run(member: Member, listeners: MemberListeners): void {
    this.#member = member;
    this.#listeners = listeners;
    process.on("SIGTERM", () => void this.#onSignal("SIGTERM"));
    process.on("SIGINT", () => void this.#onSignal("SIGINT"));
  }

  onRemoved(): void {
    const error = "the member has been permanently removed from the cluster";
    const graceMs = REMOVED_GRACE_ELECTIONS * this.#config["election-timeout"];
    setTimeout(
      () => {
        if (this.#stopping) return;
        this.#stopping = true;
        this.#log.warn("server error", { error });
        this.#log.warn("data-dir used by this member must be removed");
        void this.#stop().then(() => process.exit(0));
      },
      Math.max(REMOVED_GRACE_MS_MIN, graceMs),
    );
  }

  async #onSignal(signal: Signal): Promise<void> {
    // One more signal changes nothing: the end is under way.
    if (this.#stopping) return;
    this.#stopping = true;
    this.#log.info("received signal; shutting down", { signal: SIGNALS[signal] });
    await this.#stop();
    // The first process of a container cannot die of a signal.
    if (process.pid === 1) process.exit(0);
    process.removeAllListeners(signal);
    process.kill(process.pid, signal);
  }

  async #stop(): Promise<void> {
    const config = this.#config;
    const member = this.#member!;
    const fields = {
      name: config.name,
      "data-dir": config["data-dir"],
      "advertise-peer-urls": config["initial-advertise-peer-urls"],
      "advertise-client-urls": config["advertise-client-urls"],
    };
    this.#log.info("closing etcd server", fields);
    // While clients are still served: their writes go on through the next leader.
    await new Promise<void>((done) => member.handOver(done));
    const { client, peer } = this.#listeners;
    await Promise.all(client.map((listener) => listener.stop(STOP_GRACE_MS)));
    await new Promise<void>((done) => member.stop(done));
    await Promise.all(peer.map((listener) => listener.stop(0)));
    this.#log.info("closed etcd server", fields);
  }
}
