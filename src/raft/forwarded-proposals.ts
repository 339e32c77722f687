/** A follower's proposals of one turn, which leave for the leader in one message. */
import { ENTRY_OVERHEAD_BYTES } from "./entry.ts";
import type { Proposal } from "./message.ts";
import type { RaftCore } from "./raft-core.ts";
import type { ProposeResult } from "./ready.ts";

const BYTES_MAX = 8 * 1024 * 1024;

export class ForwardedProposals {
  readonly #core: RaftCore;
  #leader = 0n;
  #proposals: Proposal[] = [];
  #bytes = 0;

  constructor(core: RaftCore) {
    this.#core = core;
  }

  add(kind: number, data: Uint8Array): ProposeResult {
    const { leader, options } = this.#core;
    if (leader === 0n) return "no-leader";
    if (!options.forwardProposals) return "forwarding-disabled";
    if (this.#leader !== leader) this.send();
    const bytes = data.length + ENTRY_OVERHEAD_BYTES;
    if (this.#bytes > 0 && this.#bytes + bytes > BYTES_MAX) return "too-many-uncommitted";
    this.#leader = leader;
    this.#proposals.push({ kind, data });
    this.#bytes += bytes;
    return "forwarded";
  }

  send(): void {
    if (this.#proposals.length === 0) return;
    const proposals = this.#proposals;
    this.#proposals = [];
    this.#bytes = 0;
    this.#core.send({ kind: "propose", from: this.#core.id, to: this.#leader, term: 0, proposals });
  }
}
