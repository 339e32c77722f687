/** The cluster service. Its headers carry no revision (observed on real members). */
import type {
  ClusterService,
  MemberListRequest,
  MemberListResponseInit,
  UnaryCall,
} from "../api/index.ts";
import type { Member, Membership } from "../cluster/index.ts";
import type { Reads } from "./reads.ts";
import type { HeaderFactory } from "./response-header.ts";

export class ClusterServer implements ClusterService {
  readonly #membership: Membership;
  readonly #reads: Reads;
  readonly #headers: HeaderFactory;

  constructor(membership: Membership, reads: Reads, headers: HeaderFactory) {
    this.#membership = membership;
    this.#reads = reads;
    this.#headers = headers;
  }

  memberList(request: MemberListRequest, call: UnaryCall<MemberListResponseInit>): void {
    const serve = () => {
      call.succeed({
        header: this.#headers.header(0),
        members: this.#membership.members().map(wireMember),
      });
    };
    if (!request.linearizable) {
      serve();
      return;
    }
    this.#reads.wait((failure) => {
      if (failure !== null) call.fail(failure);
      else serve();
    });
  }
}

function wireMember(member: Member) {
  return {
    ID: member.id,
    name: member.name,
    peerURLs: [...member.peerUrls],
    clientURLs: [...member.clientUrls],
    isLearner: member.isLearner,
  };
}
