/** Leases. Keeping one alive is a loop of its own, see lease-keeper.ts. */
import type {
  LeaseGrantRequestInit,
  LeaseGrantResponse,
  LeaseKeepAliveResponse,
  LeaseLeasesResponse,
  LeaseRevokeRequestInit,
  LeaseRevokeResponse,
  LeaseTimeToLiveRequestInit,
  LeaseTimeToLiveResponse,
} from "../api/index.ts";
import { EtcdError, errLeaseNotFound, GrpcCode } from "../api/index.ts";
import type { Caller, OpenStream } from "./caller.ts";
import { keepLeaseAlive, type LeaseKeeper, type LeaseListener } from "./lease-keeper.ts";
import type { CallOptions } from "./options.ts";

export class LeaseClient {
  readonly #caller: Caller;

  constructor(caller: Caller) {
    this.#caller = caller;
  }

  grant(request: LeaseGrantRequestInit, options?: CallOptions): Promise<LeaseGrantResponse> {
    return this.#caller.unary("/etcdserverpb.Lease/LeaseGrant", request, "write", options);
  }

  revoke(request: LeaseRevokeRequestInit, options?: CallOptions): Promise<LeaseRevokeResponse> {
    return this.#caller.unary("/etcdserverpb.Lease/LeaseRevoke", request, "write", options);
  }

  timeToLive(
    request: LeaseTimeToLiveRequestInit,
    options?: CallOptions,
  ): Promise<LeaseTimeToLiveResponse> {
    return this.#caller.unary("/etcdserverpb.Lease/LeaseTimeToLive", request, "read", options);
  }

  list(options?: CallOptions): Promise<LeaseLeasesResponse> {
    return this.#caller.unary("/etcdserverpb.Lease/LeaseLeases", {}, "read", options);
  }

  /** Renews once; a lease that is gone is an error here. */
  async keepAliveOnce(id: bigint, options?: CallOptions): Promise<LeaseKeepAliveResponse> {
    let stream: OpenStream | null = null;
    try {
      return await new Promise<LeaseKeepAliveResponse>((resolve, reject) => {
        const listener = {
          onMessage: resolve as (response: LeaseKeepAliveResponse) => void,
          onClose: (error: EtcdError | null) =>
            reject(error ?? new EtcdError(GrpcCode.Unavailable, "the stream ended early")),
        };
        this.#caller
          .stream("/etcdserverpb.Lease/LeaseKeepAlive", listener, options)
          .then((opened) => {
            stream = opened;
            opened.send({ ID: id });
          }, reject);
      }).then((response) => {
        if (response.TTL <= 0) throw errLeaseNotFound;
        return response;
      });
    } finally {
      (stream as OpenStream | null)?.cancel();
    }
  }

  /** Renews the lease at a third of its life until it ends or `stop` is called. */
  keepAlive(id: bigint, listener: LeaseListener): LeaseKeeper {
    return keepLeaseAlive(this.#caller, id, listener);
  }
}
