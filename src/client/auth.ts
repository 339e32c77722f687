/** Logging in. The rest of the Auth service follows with the issue about users and roles. */
import type { AuthenticateRequestInit, AuthenticateResponse } from "../api/index.ts";
import type { Caller } from "./caller.ts";
import type { CallOptions } from "./options.ts";

export class AuthClient {
  readonly #caller: Caller;

  constructor(caller: Caller) {
    this.#caller = caller;
  }

  authenticate(
    request: AuthenticateRequestInit,
    options?: CallOptions,
  ): Promise<AuthenticateResponse> {
    return this.#caller.unary("/etcdserverpb.Auth/Authenticate", request, "write", options);
  }
}
