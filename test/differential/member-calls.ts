// Calls of the cluster service as steps. Ids of members that are added while running come from the
// clock, so they are written down as the names that the case gave them; lists of members are sorted
// by id on the wire, and here by what they say.

import { type CallOptions, method, type Outcome } from "./grpc-client.ts";
import type { Json, JsonObject } from "./plain.ts";
import type { Side } from "./side.ts";

const LATE = /deadline exceeded|request timed out|call cancelled/i;

export class MemberCalls {
  readonly #side: Side;
  /** By id. */
  readonly #labels = new Map<string, string>();

  constructor(side: Side) {
    this.#side = side;
    this.#labels.set(side.identity.memberId, "<self>");
  }

  /** Names a member that was there before the case. */
  label(id: string, label: string): void {
    this.#labels.set(id, `<${label}>`);
  }

  idOf(label: string): string {
    for (const [id, given] of this.#labels) if (given === `<${label}>`) return id;
    throw new Error(`no member ${label}`);
  }

  /** Adds a member and remembers its id. */
  async add(label: string, peerURLs: string[], isLearner = false): Promise<Outcome> {
    const outcome = await this.#unary("MemberAdd", { peerURLs, isLearner });
    if ("ok" in outcome)
      this.label(String((outcome.ok as { member: JsonObject }).member.ID), label);
    this.#note("MemberAdd", { peerURLs, isLearner }, outcome);
    return outcome;
  }

  async call(name: string, request: JsonObject, options?: CallOptions): Promise<Outcome> {
    const outcome = await this.#unary(name, request, options);
    this.#note(name, request, outcome);
    return outcome;
  }

  /** For calls of other services that name members. */
  async other(service: string, name: string, request: JsonObject): Promise<Outcome> {
    const outcome = await this.#side.grpc.unary(method(service, name), request);
    const answer = this.relabel(outcome as unknown as Json);
    this.#side.note(`${service}/${name}`, this.relabel(request), answer);
    return outcome;
  }

  relabel(value: Json, field = ""): Json {
    if (typeof value === "string") return this.#labels.get(value) ?? value;
    if (Array.isArray(value)) {
      const items = value.map((item) => this.relabel(item as Json));
      return field === "members" ? items.sort(byText) : items;
    }
    if (value === null || typeof value !== "object") return value;
    const entries = Object.entries(value).map(([name, each]) => [
      name,
      name === "raft_term" ? "<term>" : this.relabel(each as Json, name),
    ]);
    return Object.fromEntries(entries) as JsonObject;
  }

  #unary(name: string, request: JsonObject, options?: CallOptions): Promise<Outcome> {
    return this.#side.grpc.unary(method("Cluster", name), request, options);
  }

  #note(name: string, request: JsonObject, outcome: Outcome): void {
    // Client and server watch the same deadline: whoever is first words it.
    const isLate = "error" in outcome && LATE.test(outcome.error.details);
    const answer = isLate ? "late" : this.relabel(outcome as unknown as Json);
    this.#side.note(`Cluster/${name}`, this.relabel(request), answer);
  }
}

function byText(a: Json, b: Json): number {
  return JSON.stringify(a) < JSON.stringify(b) ? -1 : 1;
}
