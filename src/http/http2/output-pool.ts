/**
 * Output buffers shared by all connections of a server. A connection holds one only while it has unsent bytes,
 * so idle connections cost nothing and busy ones keep using the same, warm memory. Bounded in count; buffers
 * that grew are not taken back. Owns the budget of answers that wait, which the same connections share.
 */
import type { ProtoWriter } from "../../api/index.ts";
import { AnswerBudget } from "./answer-budget.ts";

const BUFFER_BYTES = 64 * 1024;
const POOLED_MAX = 64;

/** What an idle writer holds: too short for any write, so the writer replaces it if it is used all the same. */
const NOTHING = new Uint8Array(1);

export class OutputPool {
  readonly answers: AnswerBudget;
  readonly #free: Uint8Array[] = [];

  constructor(answers: AnswerBudget = new AnswerBudget()) {
    this.answers = answers;
  }

  /** Gives `writer` a buffer if it has none. */
  equip(writer: ProtoWriter): void {
    if (writer.bytes === NOTHING) writer.bytes = this.take();
  }

  take(): Uint8Array {
    return this.#free.pop() ?? new Uint8Array(BUFFER_BYTES);
  }

  /** Takes the buffer of a writer whose bytes are all sent. */
  release(writer: ProtoWriter): void {
    const bytes = writer.bytes;
    writer.bytes = NOTHING;
    writer.position = 0;
    if (bytes.length === BUFFER_BYTES && this.#free.length < POOLED_MAX) this.#free.push(bytes);
  }

  /** The bytes are now somebody else's; the writer starts afresh. */
  detach(writer: ProtoWriter): void {
    writer.bytes = NOTHING;
    writer.position = 0;
  }
}
