/** Makes the headers of responses: who answers, at which revision and term. */
import { encodeResponseHeader, ProtoWriter, type ResponseHeaderInit } from "../api/index.ts";

export class HeaderFactory {
  readonly #clusterId: bigint;
  readonly #memberId: bigint;
  readonly #idBytes: Uint8Array;
  readonly #term: () => number;

  constructor(clusterId: bigint, memberId: bigint, term: () => number) {
    this.#clusterId = clusterId;
    this.#memberId = memberId;
    this.#term = term;
    const writer = new ProtoWriter(32);
    encodeResponseHeader(writer, { cluster_id: clusterId, member_id: memberId });
    this.#idBytes = writer.finish();
  }

  /** Both ids are encoded once and spliced into every response. */
  header(revision: number): ResponseHeaderInit {
    return {
      cluster_id: this.#clusterId,
      member_id: this.#memberId,
      revision,
      raft_term: this.#term(),
      idBytes: this.#idBytes,
    };
  }
}
