/**
 * The cluster service: who the members are, and changes of that. Checks here are those that need no log (URLs, the
 * rules of strict reconfiguration); whether a change fits the members of the moment is decided when it is applied.
 * Its headers carry no revision (observed on real members).
 */
import {
  type ClusterService,
  type EtcdError,
  errMemberBadURLs,
  errMemberNotFound,
  type MemberAddRequest,
  type MemberAddResponseInit,
  type MemberInit,
  type MemberListRequest,
  type MemberListResponseInit,
  type MemberPromoteRequest,
  type MemberPromoteResponseInit,
  type MemberRemoveRequest,
  type MemberRemoveResponseInit,
  type MemberUpdateRequest,
  type MemberUpdateResponseInit,
  type ResponseHeaderInit,
  type UnaryCall,
} from "../api/index.ts";
import {
  hexId,
  type Member,
  type Membership,
  memberIdOf,
  parsePeerUrls,
} from "../cluster/index.ts";
import type { Clock, Logger, NewDigest } from "../io/index.ts";
import {
  MEMBER_URL_LENGTH_MAX,
  MEMBER_URLS_MAX,
  type MemberChange,
} from "../state-machine/index.ts";
import type { MembershipProposer } from "./membership-proposer.ts";
import type { Reads } from "./reads.ts";
import type { ReconfigurationGuard } from "./reconfiguration-guard.ts";
import type { HeaderFactory } from "./response-header.ts";

export interface ClusterServerParts {
  readonly membership: Membership;
  readonly proposer: MembershipProposer;
  readonly guard: ReconfigurationGuard;
  readonly reads: Pick<Reads, "wait">;
  readonly headers: HeaderFactory;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly newDigest: NewDigest;
  readonly memberId: bigint;
}

/** What the answers to all changes have. */
interface ChangeResponse {
  header: ResponseHeaderInit;
  members: MemberInit[];
}

const CHANGE_NAMES: Readonly<Record<MemberChange, string>> = {
  "add-voter": "ConfChangeAddNode",
  "add-learner": "ConfChangeAddLearnerNode",
  promote: "ConfChangeAddNode",
  remove: "ConfChangeRemoveNode",
  update: "ConfChangeUpdateNode",
};

export class ClusterServer implements ClusterService {
  readonly #parts: ClusterServerParts;

  constructor(parts: ClusterServerParts) {
    this.#parts = parts;
  }

  memberList(request: MemberListRequest, call: UnaryCall<MemberListResponseInit>): void {
    const { membership, reads, headers } = this.#parts;
    const serve = () => {
      call.succeed({ header: headers.header(0), members: membership.members().map(wireMember) });
    };
    if (!request.linearizable) {
      serve();
      return;
    }
    reads.wait((failure) => {
      if (failure !== null) call.fail(failure);
      else serve();
    });
  }

  memberAdd(request: MemberAddRequest, call: UnaryCall<MemberAddResponseInit>): void {
    const { guard, clock, newDigest } = this.#parts;
    const peerUrls = readUrls(request.peerURLs);
    if (peerUrls === null) {
      call.fail(errMemberBadURLs);
      return;
    }
    const { isLearner } = request;
    // The time makes the id a new one: that of a removed member must not come back with its URLs.
    const seconds = String(Math.floor(clock.wallMs() / 1000));
    const id = memberIdOf(newDigest, peerUrls, seconds);
    const member = { id, peerUrls, name: "", clientUrls: [], isLearner };
    const change = isLearner ? "add-learner" : "add-voter";
    this.#change(change, member, guard.refusalToAdd(member), call, (response) => {
      call.succeed({ ...response, member: wireMember(member) });
    });
  }

  memberRemove({ ID }: MemberRemoveRequest, call: UnaryCall<MemberRemoveResponseInit>): void {
    const refusal = this.#parts.guard.refusalToRemove(ID);
    this.#change("remove", named(ID), refusal, call, (response) => call.succeed(response));
  }

  memberUpdate(request: MemberUpdateRequest, call: UnaryCall<MemberUpdateResponseInit>): void {
    // etcd takes any text here, and its members die of one that is no URL.
    const peerUrls = readUrls(request.peerURLs);
    if (peerUrls === null) {
      call.fail(errMemberBadURLs);
      return;
    }
    const member = { ...named(request.ID), peerUrls };
    this.#change("update", member, null, call, (response) => call.succeed(response));
  }

  /** The leader decides whether the learner is ready. */
  memberPromote({ ID }: MemberPromoteRequest, call: UnaryCall<MemberPromoteResponseInit>): void {
    this.#change("promote", named(ID), null, call, (response) => call.succeed(response));
  }

  #change(
    change: MemberChange,
    member: Member,
    refusal: EtcdError | null,
    call: UnaryCall<never>,
    succeed: (response: ChangeResponse) => void,
  ): void {
    const { proposer, headers, logger, memberId } = this.#parts;
    // No member has the id 0, and the log takes no such entry.
    const problem = refusal ?? (member.id === 0n ? errMemberNotFound : null);
    if (problem !== null) {
      call.fail(problem);
      return;
    }
    proposer.proposeChange(
      { change, member },
      {
        succeed: ({ members }) => {
          logger.info("applied a configuration change through raft", {
            "local-member-id": memberId,
            "raft-conf-change": CHANGE_NAMES[change],
            "raft-conf-change-node-id": hexId(member.id),
          });
          succeed({ header: headers.header(0), members: members.map(wireMember) });
        },
        fail: (error) => call.fail(error),
      },
    );
  }
}

function readUrls(urls: readonly string[]): string[] | null {
  if (urls.length > MEMBER_URLS_MAX) return null;
  const parsed = parsePeerUrls(urls);
  return parsed?.every(({ length }) => length <= MEMBER_URL_LENGTH_MAX) ? parsed : null;
}

function named(id: bigint): Member {
  return { id, peerUrls: [], name: "", clientUrls: [], isLearner: false };
}

function wireMember(member: Member): MemberInit {
  return {
    ID: member.id,
    name: member.name,
    peerURLs: member.peerUrls,
    clientURLs: member.clientUrls,
    isLearner: member.isLearner,
  };
}
