// A leader that removes itself: the others hear that it is committed, although it leads no longer. In a cluster where
// the members that stay are no majority with it still counted, nobody else could ever find out.
import { expect, test } from "bun:test";
import { SimClock } from "../../test/simulation/sim-clock.ts";
import { errTimeout } from "../api/index.ts";
import { silentLogger } from "../io/index.ts";
import { NoPeers } from "../peer/index.ts";
import { type Message, RAFT_DEFAULTS } from "../raft/index.ts";
import type { WriteAheadLog } from "../wal/index.ts";
import type { Bootstrapped } from "./bootstrap.ts";
import { RaftLoop } from "./raft-loop.ts";
import { RaftNode } from "./raft-node.ts";
import { Reads } from "./reads.ts";

const SELF = 7n;
const OTHER = 8n;
const THIRD = 9n;
const REMOVAL_INDEX = 2;

class RecordingPeers extends NoPeers {
  readonly sent: Message[] = [];

  override send(messages: readonly Message[] = []): void {
    this.sent.push(...messages);
  }
}

function setup() {
  const clock = new SimClock();
  const storage = {
    memberId: SELF,
    hardState: { term: 1, vote: 0n, commit: 0 },
    previous: { index: 0, term: 0 },
    entries: [],
    configuration: { voters: [SELF, OTHER, THIRD], learners: [] },
    database: { consistentIndex: () => 0, consistentTerm: () => 0 },
  } as unknown as Bootstrapped;
  const settings = { ...RAFT_DEFAULTS, preVote: false, commitsWait: true, random: () => 0 };
  const node = new RaftNode({ storage, settings, clock, logger: silentLogger });
  const transport = new RecordingPeers();
  const wake = () => loop.wake();
  const timeoutError = () => errTimeout;
  const loop: RaftLoop = new RaftLoop({
    ...{ clock, node, transport },
    reads: new Reads({ node, clock, timeoutMs: 7000, wake, catchUp: null, timeoutError }),
    wal: { append: () => {}, flush: (done: () => void) => done() } as unknown as WriteAheadLog,
    tickIntervalMs: 100,
    leaseTrust: null,
    proposalTimeoutMs: 7000,
    apply: ({ index }) => {
      if (index === REMOVAL_INDEX) loop.applyMembership(index, { kind: "remove", member: SELF });
    },
    onTick: () => {},
    onApplied: () => {},
    sendSnapshot: () => {},
    installSnapshot: () => {},
  });
  const settle = () => {
    while (clock.runNext(clock.monotonicMs()));
  };
  const receive = (...messages: Message[]) => {
    loop.receive(messages);
    settle();
  };
  return { node, loop, transport, settle, receive };
}

test("RaftLoop tells the others that the leader's own removal is committed, before it leads no longer", () => {
  const { node, loop, transport, settle, receive } = setup();
  loop.start();
  node.raft.campaign();
  settle();
  const header = { to: SELF, term: node.raft.term } as const;
  const vote = { kind: "vote-response", granted: true, commit: 0, commitTerm: 0 } as const;
  receive({ ...vote, ...header, from: OTHER });
  const accept = (from: bigint, index: number): Message => {
    return { kind: "append-accepted", ...header, from, index };
  };
  receive(accept(OTHER, 1), accept(THIRD, 1));
  node.raft.proposeMembershipChange({ kind: "remove", member: SELF }, new Uint8Array(10));
  loop.wake();
  settle();
  expect(node.raft.role).toBe("leader");
  transport.sent.length = 0;
  receive(accept(OTHER, REMOVAL_INDEX), accept(THIRD, REMOVAL_INDEX));
  expect(node.raft.role).toBe("follower");
  const told = transport.sent.filter((each) => each.kind === "append" && each.commit === 2);
  expect(told.map(({ to }) => to)).toEqual([OTHER, THIRD]);
});
