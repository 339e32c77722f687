/**
 * What members ask each other beside raft's messages: renewals of leases that only the leader keeps, hashes to
 * compare, promotions. A name, bytes, and one answer.
 */
import { utf8 } from "../base/bytes.ts";
import type { PeerAnswer } from "../peer/index.ts";

export type PeerRequestHandler = (
  from: bigint,
  body: Uint8Array,
  respond: (answer: PeerAnswer) => void,
) => void;

/** The question is not known here: another version asks. */
export const STATUS_UNKNOWN_REQUEST = 404;

export class PeerRequests {
  readonly #handlers = new Map<string, PeerRequestHandler>();

  register(name: string, handler: PeerRequestHandler): void {
    this.#handlers.set(name, handler);
  }

  handle(
    from: bigint,
    name: string,
    body: Uint8Array,
    respond: (answer: PeerAnswer) => void,
  ): void {
    const handler = this.#handlers.get(name);
    if (handler !== undefined) handler(from, body, respond);
    else respond({ status: STATUS_UNKNOWN_REQUEST, body: utf8(`unknown request ${name}`) });
  }
}
