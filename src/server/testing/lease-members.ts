/** Members of a cluster as the lease service sees it: real lessors, made-up raft, requests between them. */
import { SimClock } from "../../../test/simulation/sim-clock.ts";
import {
  decodeLeaseKeepAliveRequest,
  decodeLeaseTimeToLiveRequest,
  type EtcdError,
  encodeLeaseKeepAliveRequest,
  encodeLeaseTimeToLiveRequest,
  type LeaseKeepAliveRequest,
  type LeaseKeepAliveResponseInit,
  type LeaseTimeToLiveResponseInit,
  ProtoWriter,
  type RequestStream,
} from "../../api/index.ts";
import { Lessor } from "../../lease/index.ts";
import type { PeerAnswer } from "../../peer/index.ts";
import { LeaseKeeper } from "../lease-keeper.ts";
import { LeaseServer, type LeaseServiceParts } from "../lease-service.ts";
import { PeerRequests } from "../peer-requests.ts";
import type { ReadWaiter } from "../reads.ts";
import { FakeRaft } from "./fake-raft.ts";
import { openTestDatabase, RecordingProposer } from "./stand-ins.ts";
import { newTestCall, TestStream } from "./test-call.ts";

/** A stream of requests that keeps what comes while it is paused. */
export class Renewals {
  #listener: (request: LeaseKeepAliveRequest) => void = () => {};
  #onEnd = (): void => {};
  #waiting: LeaseKeepAliveRequest[] = [];
  paused = false;
  onMessage(listener: (request: LeaseKeepAliveRequest) => void): void {
    this.#listener = listener;
  }
  onEnd(listener: () => void): void {
    this.#onEnd = listener;
  }
  pause(): void {
    this.paused = true;
  }
  resume(): void {
    this.paused = false;
    while (!this.paused && this.#waiting.length > 0) this.#listener(this.#waiting.shift()!);
  }
  send(ID: bigint): void {
    const writer = new ProtoWriter();
    encodeLeaseKeepAliveRequest(writer, { ID });
    this.#waiting.push(decodeLeaseKeepAliveRequest(writer.finish()));
    if (!this.paused) this.resume();
  }
  end(): void {
    this.#onEnd();
  }
}

/** Members of one cluster whose requests to each other arrive at once, unless they are cut off. */
export class Members {
  readonly clock = new SimClock();
  readonly byId = new Map<bigint, OneMember>();
  readonly cut = new Set<bigint>();
  requestCount = 0;

  add(id: bigint): OneMember {
    const member = new OneMember(id, this);
    this.byId.set(id, member);
    return member;
  }

  lead(term: number, leader: bigint): void {
    for (const { raft } of this.byId.values()) raft.become(term, leader);
  }
}

export class OneMember {
  readonly raft: FakeRaft;
  readonly lessor = new Lessor(openTestDatabase(), { ttlSecondsMin: 2 });
  readonly proposer = new RecordingProposer();
  readonly requests = new PeerRequests();
  readonly keeper: LeaseKeeper;
  readonly server: LeaseServer;
  /** Reads that wait for a majority; null answers them at once. */
  waitingReads: ReadWaiter[] | null = null;
  readsReady = true;
  applied = 0;

  constructor(id: bigint, members: Members) {
    this.raft = new FakeRaft(id);
    const { clock } = members;
    const { lessor, raft } = this;
    const parts = {
      ...{ lessor, raft, clock },
      proposer: this.proposer.asProposer,
      appliedIndex: () => this.applied,
      electionTimeoutMs: 1000,
    };
    this.keeper = new LeaseKeeper({ ...parts, checkpoints: true });
    const reads: LeaseServiceParts["reads"] = {
      isReady: () => this.readsReady,
      wait: (done) => {
        if (this.waitingReads === null) done(null);
        else this.waitingReads.push(done);
      },
    };
    const transport = this.#transport(members);
    this.server = new LeaseServer({
      ...parts,
      ...{ reads, transport, keeper: this.keeper, timeoutMs: 7000 },
      store: { revision: () => 1 },
      headers: { header: (revision: number) => ({ revision }) },
    } as unknown as LeaseServiceParts);
    this.server.registerPeerRequests(this.requests);
  }

  #transport(members: Members): LeaseServiceParts["transport"] {
    const { clock } = members;
    return {
      request: (to, name, body, timeoutMs, done) => {
        members.requestCount++;
        const answer = (result: PeerAnswer | null) => clock.setTimer(1, () => done(result));
        const target = members.byId.get(to);
        if (target === undefined || members.cut.has(to))
          clock.setTimer(timeoutMs, () => done(null));
        else target.requests.handle(this.raft.memberId, name, body, answer);
      },
    };
  }

  finishReads(problem: EtcdError | null): void {
    for (const done of this.waitingReads?.splice(0) ?? []) done(problem);
  }

  openStream() {
    const requests = new Renewals();
    const stream = new TestStream<LeaseKeepAliveResponseInit>(Infinity);
    this.server.leaseKeepAlive(requests as unknown as RequestStream<LeaseKeepAliveRequest>, stream);
    const answers = () => stream.messages.map(({ ID, TTL }) => `${ID}: ${TTL}`);
    return { requests, stream, answers };
  }

  timeToLive(ID: bigint, keys = false) {
    const writer = new ProtoWriter();
    encodeLeaseTimeToLiveRequest(writer, { ID, keys });
    const call = newTestCall<LeaseTimeToLiveResponseInit>();
    this.server.leaseTimeToLive(decodeLeaseTimeToLiveRequest(writer.finish()), call);
    return call;
  }
}

export function threeMembers() {
  const members = new Members();
  const [one, two, three] = [members.add(1n), members.add(2n), members.add(3n)];
  const grant = (id: bigint, seconds: number) => {
    const nowMs = members.clock.monotonicMs();
    for (const { lessor } of members.byId.values()) lessor.grant(id, seconds, nowMs);
  };
  const revoke = (id: bigint) => {
    for (const { lessor, server } of members.byId.values()) {
      lessor.revoke(id);
      server.onApplied();
    }
  };
  return { members, clock: members.clock, one, two, three, grant, revoke };
}
