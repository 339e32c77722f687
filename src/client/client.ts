/**
 * A client of a cluster. Made by command lines, benchmarks and tests; everything it needs from outside comes in
 * by its options. `close` ends all calls.
 */
import { EtcdError, errAuthNotEnabled } from "../api/index.ts";
import { AuthClient } from "./auth.ts";
import { Caller } from "./caller.ts";
import { ClusterClient } from "./cluster.ts";
import { KvClient } from "./kv.ts";
import { LeaseClient } from "./lease.ts";
import { MaintenanceClient } from "./maintenance.ts";
import { type ClientOptions, DIAL_TIMEOUT_DEFAULT_MS } from "./options.ts";
import { WatchClient } from "./watch.ts";

export class Client {
  readonly kv: KvClient;
  readonly watch: WatchClient;
  readonly lease: LeaseClient;
  readonly cluster: ClusterClient;
  readonly maintenance: MaintenanceClient;
  readonly auth: AuthClient;
  readonly options: ClientOptions;
  readonly #caller: Caller;

  constructor(options: ClientOptions) {
    this.options = options;
    this.#caller = new Caller(options);
    this.kv = new KvClient(this.#caller);
    this.watch = new WatchClient(this.#caller);
    this.lease = new LeaseClient(this.#caller);
    this.cluster = new ClusterClient(this.#caller);
    this.maintenance = new MaintenanceClient(this.#caller);
    this.auth = new AuthClient(this.#caller);
    if (options.user !== undefined) {
      const logIn = new Caller({ ...options, user: undefined, token: undefined });
      this.#logInCaller = logIn;
      this.#caller.setLogIn(() => this.#authenticate(logIn));
    }
  }

  #logInCaller: Caller | null = null;

  /** Logs in when a user is set; to be awaited before the first call. Does nothing while authentication is off. */
  async logIn(): Promise<void> {
    if (this.#logInCaller !== null) {
      this.#caller.setToken(await this.#authenticate(this.#logInCaller));
    }
  }

  /** A client of the same cluster that speaks with one member only. */
  only(endpoint: string): Client {
    return new Client({ ...this.options, endpoints: [endpoint] });
  }

  close(): void {
    this.watch.close();
    this.#caller.close();
    this.#logInCaller?.close();
  }

  async #authenticate(caller: Caller): Promise<string | null> {
    const { user = "", password = "", dialTimeoutMs = DIAL_TIMEOUT_DEFAULT_MS } = this.options;
    try {
      const answer = await new AuthClient(caller).authenticate(
        { name: user, password },
        { timeoutMs: dialTimeoutMs },
      );
      return answer.token;
    } catch (error) {
      if (error instanceof EtcdError && error.message === errAuthNotEnabled.message) return null;
      throw error;
    }
  }
}
