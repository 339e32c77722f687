// Members joined by a network that delivers in order unless a filter drops; for tests that follow
// one story.

import { assert } from "../../base/assert.ts";
import type { Message } from "../message.ts";
import { TestMember, type TestMemberOptions } from "./test-member.ts";

const ROUNDS_MAX = 1000;

export class TestCluster {
  readonly members = new Map<bigint, TestMember>();
  /** Everything delivered or dropped, in order. */
  readonly trace: Message[] = [];
  /** Messages this refuses are lost. */
  passes: (message: Message) => boolean = () => true;
  #queue: Message[] = [];

  constructor(options: readonly TestMemberOptions[]) {
    for (const each of options) this.add(each);
  }

  static of(count: number, options: Omit<TestMemberOptions, "id"> = {}): TestCluster {
    const voters = Array.from({ length: count }, (_, i) => i + 1);
    // Patience grows with the id, so that 1 campaigns first.
    return new TestCluster(
      voters.map((id) => ({ voters, patience: (id - 1) * 3, ...options, id })),
    );
  }

  add(options: TestMemberOptions): TestMember {
    const member = new TestMember(options);
    this.members.set(member.id, member);
    return member;
  }

  at(id: number): TestMember {
    const member = this.members.get(BigInt(id));
    assert(member !== undefined, `no member ${id}`);
    return member;
  }

  /** Cuts a member off in both directions. */
  isolate(...ids: number[]): void {
    const cut = new Set(ids.map(BigInt));
    this.passes = (message) => !cut.has(message.from) && !cut.has(message.to);
  }

  heal(): void {
    this.passes = () => true;
  }

  /** Lets everyone do what is due and delivers until nothing moves. */
  settle(): void {
    for (let round = 0; round < ROUNDS_MAX; round++) {
      for (const member of this.members.values()) this.#queue.push(...member.settle());
      if (this.#queue.length === 0) return;
      const queue = this.#queue;
      this.#queue = [];
      for (const message of queue) {
        this.trace.push(message);
        if (this.passes(message)) this.members.get(message.to)?.raft.step(message);
      }
    }
    assert(false, `the cluster did not come to rest in ${ROUNDS_MAX} rounds`);
  }

  tickAll(count = 1): void {
    for (let i = 0; i < count; i++) {
      for (const member of this.members.values()) member.tick();
      this.settle();
    }
  }

  elect(id: number): TestMember {
    const member = this.at(id);
    member.raft.campaign();
    this.settle();
    assert(member.status.role === "leader", `member ${id} is ${member.status.role}`);
    return member;
  }

  leaders(): bigint[] {
    return [...this.members.values()]
      .filter((member) => member.status.role === "leader")
      .map((member) => member.id);
  }
}
