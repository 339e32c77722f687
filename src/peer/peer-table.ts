/**
 * The members this one talks to: those it was told of, and those it learned of because they dialed with an
 * introduction of the same cluster (peer-acceptor.ts). The latter are few, and go when their connection does.
 */
import type { PeerStatistics } from "./peer-counters.ts";
import { PeerLink } from "./peer-link.ts";
import type { PeerServices } from "./peer-services.ts";
import { parsePeerUrl } from "./peer-url.ts";
import type { PeerAddress } from "./types.ts";

export class PeerTable {
  readonly #services: PeerServices;
  #links = new Map<bigint, PeerLink>();
  readonly #learned = new Map<bigint, PeerLink>();

  constructor(services: PeerServices) {
    this.#services = services;
  }

  get(member: bigint): PeerLink | null {
    return this.#links.get(member) ?? this.#learned.get(member) ?? null;
  }

  all(): PeerLink[] {
    return [...this.#links.values(), ...this.#learned.values()];
  }

  /** Takes the new list; returns the links of those that are gone, still open. */
  set(peers: readonly PeerAddress[]): PeerLink[] {
    const before = this.#links;
    this.#links = new Map();
    for (const { id, peerUrls } of peers) {
      const known = before.get(id) ?? this.#learned.get(id);
      before.delete(id);
      this.#learned.delete(id);
      this.#links.set(id, known ?? new PeerLink(id, peerUrls, this.#services));
      known?.setUrls(peerUrls);
    }
    return [...before.values()];
  }

  /** Null when there are too many, or the URLs are none. */
  learn(member: bigint, peerUrls: readonly string[]): PeerLink | null {
    if (this.#learned.size >= this.#services.options.limits.learnedMembersMax) return null;
    if (peerUrls.length === 0 || peerUrls.some((url) => parsePeerUrl(url) === null)) return null;
    const link = new PeerLink(member, peerUrls, this.#services);
    this.#learned.set(member, link);
    return link;
  }

  forgetLearned(member: bigint): PeerLink | null {
    const link = this.#learned.get(member) ?? null;
    this.#learned.delete(member);
    return link;
  }

  connect(): void {
    for (const link of this.#links.values()) link.connect();
  }

  statistics(): PeerStatistics[] {
    return this.all()
      .sort((a, b) => (a.member < b.member ? -1 : 1))
      .map((link) => ({
        member: link.member,
        isActive: link.isActive,
        activeSinceMs: link.activeSinceMs,
        roundTripMs: link.roundTripMs,
        queuedMessages: link.queuedMessages,
        queuedBytes: link.queuedBytes,
        counters: link.counters,
      }));
  }
}
