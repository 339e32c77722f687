import { expect, test } from "bun:test";
import { SimClock } from "../../test/simulation/sim-clock.ts";
import {
  decodePutRequest,
  type EtcdError,
  encodePutRequest,
  errKeyNotFound,
  errRequestTooLarge,
  errRequestTooManyRequests,
  errStopped,
  type PutResponseInit,
} from "../api/index.ts";
import { utf8, utf8Text } from "../base/bytes.ts";
import { CommandKind, decodeCommand, type StateMachine } from "../state-machine/index.ts";
import { ProposalQueue } from "./proposal-queue.ts";
import { Proposer } from "./proposer.ts";
import type { RaftLoop } from "./raft-loop.ts";
import type { RaftView } from "./raft-view.ts";
import { HeaderFactory } from "./response-header.ts";
import { newTestCall } from "./testing/test-call.ts";
import { newTestRandom } from "./testing/test-random.ts";

/** Of member 0xff123456789abc: its low 48 bits. */
const ORIGIN = 0x1234_5678_9abc;

function setup() {
  const state = { commit: 0, applied: 0, pendingBytes: 0, refusal: null as EtcdError | null };
  const entries: Uint8Array[] = [];
  const queue = new ProposalQueue(new SimClock(), newTestRandom(), 7000);
  const proposer = new Proposer({
    raft: { memberId: 0xff_1234_5678_9abcn, commit: () => state.commit } as unknown as RaftView,
    loop: {
      propose: (_kind: number, data: Uint8Array) => {
        if (state.refusal === null) entries.push(data);
        return state.refusal;
      },
      proposeAsLeader: (_kind: number, data: Uint8Array) =>
        state.refusal === null && entries.push(data) > 0,
      pendingBytes: () => state.pendingBytes,
    } as unknown as RaftLoop,
    stateMachine: { appliedIndex: () => state.applied } as unknown as StateMachine,
    queue,
    headers: new HeaderFactory(5n, 6n, () => 3),
    requestBytesMax: 100,
  });
  const put = (value: string) => {
    const call = newTestCall<PutResponseInit>();
    const request = { key: utf8("k"), value: utf8(value) };
    proposer.propose(CommandKind.put, encodePutRequest, request, call);
    return call;
  };
  return { state, entries, queue, proposer, put };
}

test("Proposer proposes the request as it is and gives its reply to who asked", () => {
  const { entries, proposer, put } = setup();
  const calls = [put("one"), put("two")];
  const commands = entries.map((bytes) => decodeCommand(bytes)!);
  expect(commands[0]!.origin).toBe(ORIGIN);
  expect(commands.map((command) => utf8Text(decodePutRequest(command.request).value))).toEqual([
    "one",
    "two",
  ]);
  proposer.deliver(ORIGIN, commands[1]!.requestId, { header: { revision: 9 } });
  expect(calls[0]!.answered).toBe(false);
  const header = calls[1]!.response?.header;
  expect([header?.cluster_id, header?.member_id, header?.revision, header?.raft_term]).toEqual([
    5n,
    6n,
    9,
    3,
  ]);
  proposer.deliver(ORIGIN + 1, commands[0]!.requestId, errStopped);
  expect(calls[0]!.answered).toBe(false);
  proposer.deliver(ORIGIN, commands[0]!.requestId, errKeyNotFound);
  expect(calls[0]!.error).toBe(errKeyNotFound);
  // A reply that nobody waits for: of another member, or of a request that gave up.
  proposer.deliver(ORIGIN, 777, {});
});

test("Proposer refuses requests that are too large, and takes those that just fit", () => {
  const { entries, put } = setup();
  const fixed = 2 + 1 + 2; // tag and length of both fields, and the key
  expect(put("x".repeat(100 - fixed)).answered).toBe(false);
  expect(put("x".repeat(101 - fixed)).error).toBe(errRequestTooLarge);
  expect(entries.length).toBe(1);
});

test("Proposer refuses while more than 5000 committed entries wait for application", () => {
  const { state, put } = setup();
  state.commit = 5000;
  expect(put("a").answered).toBe(false);
  state.commit = 5001;
  expect(put("a").error).toBe(errRequestTooManyRequests);
  state.applied = 1;
  expect(put("a").answered).toBe(false);
});

test("Proposer refuses while too many bytes are on their way", () => {
  const { state, put } = setup();
  state.pendingBytes = 256 * 1024 * 1024 + 1;
  expect(put("a").error).toBe(errRequestTooManyRequests);
});

test("Proposer says why nothing was proposed, also after a stop, and leaves no waiter behind", () => {
  const { state, queue, proposer, put } = setup();
  state.refusal = errRequestTooManyRequests;
  expect(put("a").error).toBe(errRequestTooManyRequests);
  expect(queue.size).toBe(0);
  state.refusal = null;
  proposer.stop();
  expect(put("a").error).toBe(errStopped);
  expect(proposer.proposeAsLeader(CommandKind.put, encodePutRequest, {})).toBe(false);
  expect(queue.size).toBe(0);
});

test("Proposer proposes as leader under request id 0: nobody is answered", () => {
  const { entries, queue, proposer } = setup();
  expect(proposer.proposeAsLeader(CommandKind.put, encodePutRequest, {})).toBe(true);
  expect(decodeCommand(entries[0]!)?.requestId).toBe(0);
  expect(queue.size).toBe(0);
});
