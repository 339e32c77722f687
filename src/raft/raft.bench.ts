// By hand: what raft itself costs per proposed entry, from the proposal to its application, when
// proposals come in batches. The disk and the network are arrays. Run: bun src/raft/raft.bench.ts

import { MemoryLog } from "./log-storage.ts";
import type { Message } from "./message.ts";
import { RaftMember } from "./raft-member.ts";
import { RAFT_DEFAULTS, type RaftReady } from "./ready.ts";
import { configurationOf } from "./testing/test-member.ts";

const data = new Uint8Array(256);

interface Node {
  readonly raft: RaftMember;
  readonly log: MemoryLog;
  applied: number;
}

function nodeOf(id: number, voters: number[]): Node {
  const log = new MemoryLog();
  const raft = new RaftMember({
    ...RAFT_DEFAULTS,
    memberId: BigInt(id),
    storage: log,
    random: () => 0,
    hardState: { term: 0, vote: 0n, commit: 0 },
    configuration: configurationOf(voters),
    appliedIndex: 0,
  });
  return { raft, log, applied: 0 };
}

/** One Ready with an instant disk; false when there was none. */
function turn(node: Node, send: (message: Message) => void): boolean {
  const ready: RaftReady | null = node.raft.takeReady();
  if (ready === null) return false;
  for (let i = 0; i < ready.messages.length; i++) send(ready.messages[i]!);
  node.log.append(ready.entries);
  if (ready.mustSync) node.raft.persisted(ready.sequence);
  const last = ready.committed[ready.committed.length - 1];
  if (last !== undefined) {
    node.applied = last.index;
    node.raft.applied(last.index);
  }
  return true;
}

function settle(nodes: readonly Node[]): void {
  for (;;) {
    const messages: Message[] = [];
    let moved = false;
    for (const node of nodes) {
      while (turn(node, (message) => messages.push(message))) moved = true;
    }
    for (const message of messages) nodes[Number(message.to) - 1]!.raft.step(message);
    if (!moved) return;
  }
}

/** The leader's side alone: two followers that accept everything at once, as made-up answers. */
function leaderAlone(batch: number, rounds: number): number {
  const nodes = [1, 2, 3].map((id) => nodeOf(id, [1, 2, 3]));
  nodes[0]!.raft.campaign();
  settle(nodes);
  const leader = nodes[0]!;
  const { term } = leader.raft.status();
  return timed(batch * rounds, () => {
    for (let round = 0; round < rounds; round++) {
      for (let i = 0; i < batch; i++) leader.raft.propose(0, data);
      while (turn(leader, () => {}));
      const { lastIndex: index } = leader.raft.status();
      for (const from of [2n, 3n]) {
        leader.raft.step({ kind: "append-accepted", from, to: 1n, term, index });
      }
      while (turn(leader, () => {}));
      forget(leader);
    }
  });
}

function cluster(voters: number[], batch: number, rounds: number): number {
  const nodes = voters.map((id) => nodeOf(id, voters));
  nodes[0]!.raft.campaign();
  settle(nodes);
  return timed(batch * rounds, () => {
    for (let round = 0; round < rounds; round++) {
      for (let i = 0; i < batch; i++) nodes[0]!.raft.propose(0, data);
      settle(nodes);
      for (const node of nodes) forget(node);
    }
  });
}

/** Keeps the log from growing, as the server's snapshots do. */
function forget({ log, raft, applied }: Node): void {
  if (applied - log.firstIndex() < 50_000) return;
  const { configuration } = raft.status();
  log.saveSnapshot({ index: applied, term: log.termAt(applied), configuration });
  log.compact(applied - 1_000);
}

function timed(entries: number, run: () => void): number {
  const start = performance.now();
  run();
  return ((performance.now() - start) * 1e6) / entries;
}

for (const batch of [1, 10, 100, 1000]) {
  const rounds = Math.ceil(400_000 / batch);
  const figures = [
    ["single voter", () => cluster([1], batch, rounds)],
    ["leader of 3", () => leaderAlone(batch, rounds)],
    ["3 members, all of them", () => cluster([1, 2, 3], batch, rounds)],
  ] as const;
  for (const [name, measure] of figures) {
    measure();
    const best = Math.min(measure(), measure());
    console.log(`batch ${batch}: ${name}: ${best.toFixed(0)} ns/entry`);
  }
}
