/** Members of the cluster. */
import type {
  MemberAddRequestInit,
  MemberAddResponse,
  MemberListRequestInit,
  MemberListResponse,
  MemberPromoteRequestInit,
  MemberPromoteResponse,
  MemberRemoveRequestInit,
  MemberRemoveResponse,
  MemberUpdateRequestInit,
  MemberUpdateResponse,
} from "../api/index.ts";
import type { Caller } from "./caller.ts";
import type { CallOptions } from "./options.ts";

export class ClusterClient {
  readonly #caller: Caller;

  constructor(caller: Caller) {
    this.#caller = caller;
  }

  memberList(request: MemberListRequestInit, options?: CallOptions): Promise<MemberListResponse> {
    return this.#caller.unary("/etcdserverpb.Cluster/MemberList", request, "read", options);
  }

  memberAdd(request: MemberAddRequestInit, options?: CallOptions): Promise<MemberAddResponse> {
    return this.#caller.unary("/etcdserverpb.Cluster/MemberAdd", request, "write", options);
  }

  memberRemove(
    request: MemberRemoveRequestInit,
    options?: CallOptions,
  ): Promise<MemberRemoveResponse> {
    return this.#caller.unary("/etcdserverpb.Cluster/MemberRemove", request, "write", options);
  }

  memberUpdate(
    request: MemberUpdateRequestInit,
    options?: CallOptions,
  ): Promise<MemberUpdateResponse> {
    return this.#caller.unary("/etcdserverpb.Cluster/MemberUpdate", request, "write", options);
  }

  memberPromote(
    request: MemberPromoteRequestInit,
    options?: CallOptions,
  ): Promise<MemberPromoteResponse> {
    return this.#caller.unary("/etcdserverpb.Cluster/MemberPromote", request, "write", options);
  }
}
