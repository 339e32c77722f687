// A cluster of processes whose members have roles instead of names (who led at the start, who followed), so that two
// clusters can be told the same and compared: every call is a step, written down with roles for ids, names and URLs.

import type { ClusterMember } from "../cluster/cluster-member.ts";
import { ClusterProcesses } from "../cluster/cluster-processes.ts";
import { type MemberKind, serverCommand } from "../reference-etcd.ts";
import { method, type Outcome } from "./grpc-client.ts";
import type { Json, JsonObject } from "./plain.ts";
import type { Step } from "./trace.ts";

export class ClusterRoles {
  readonly cluster: ClusterProcesses;
  readonly steps: Step[] = [];
  readonly startedMs = performance.now();
  readonly #roles = new Map<string, ClusterMember>();
  /** What stands for a member in requests and answers: ids, names, URLs. */
  readonly #labels = new Map<string, string>();

  private constructor(cluster: ClusterProcesses) {
    this.cluster = cluster;
  }

  /** Three members; the roles are `leader`, `first` and `second`. */
  static async start(kind: MemberKind): Promise<ClusterRoles> {
    const options = { proxied: false, heartbeatMs: 100, electionMs: 1000 };
    const command = serverCommand(kind);
    const cluster = await ClusterProcesses.start({ ...options, command, size: 3 });
    const roles = new ClusterRoles(cluster);
    const leader = await cluster.waitForLeader();
    const [first, second] = cluster.othersOf(leader);
    for (const [role, member] of Object.entries({ leader, first: first!, second: second! })) {
      const status = await member.status();
      roles.give(role, member, status!.memberId);
    }
    return roles;
  }

  give(role: string, member: ClusterMember, id: string): void {
    this.#roles.set(role, member);
    this.#labels.set(member.name, `<${role}>`);
    this.#labels.set(`http://${member.endpoint}`, `<${role}'s clients>`);
    this.#labels.set(member.advertisedPeerUrl, `<${role}'s peers>`);
    if (id !== "") this.#labels.set(id, `<id of ${role}>`);
  }

  member(role: string): ClusterMember {
    return this.#roles.get(role)!;
  }

  idOf(role: string): string {
    for (const [id, label] of this.#labels) if (label === `<id of ${role}>`) return id;
    throw new Error(`no member ${role}`);
  }

  /** Asks the member in a role and writes it down; again while it answers `again`, which comes with time. */
  async call(
    role: string,
    service: string,
    name: string,
    request: JsonObject,
    again?: RegExp,
  ): Promise<Outcome> {
    const endMs = performance.now() + 12_000;
    for (;;) {
      const outcome = await this.member(role).client.unary(method(service, name), request);
      this.#learn(request, outcome);
      const isEarly = "error" in outcome && again?.test(outcome.error.details) === true;
      if (!isEarly || performance.now() > endMs) {
        const answer = this.#relabel(outcome as unknown as Json);
        this.note(`${role}: ${service}/${name}`, this.#relabel(request), answer);
        return outcome;
      }
      await Bun.sleep(100);
    }
  }

  note(call: string, request: Json, answer: Json): void {
    this.steps.push({ call, request, answer });
  }

  /** Waits until the member in a role leads in the eyes of all that run. */
  async waitForLeader(role: string): Promise<void> {
    const wanted = this.idOf(role);
    await this.cluster.wait(`${role} leads`, 15_000, async () => {
      const running = this.cluster.members.filter(({ isRunning }) => isRunning);
      const statuses = await Promise.all(running.map((member) => member.status()));
      return statuses.every((status) => status?.leaderId === wanted);
    });
  }

  /** A member that was added has the URLs that it was added with: its role's. */
  #learn(request: JsonObject, outcome: Outcome): void {
    const added = "ok" in outcome ? ((outcome.ok as JsonObject).member as JsonObject) : undefined;
    const url = (request.peerURLs as string[] | undefined)?.[0];
    if (added === undefined || url === undefined) return;
    const label = this.#labels.get(url);
    if (label !== undefined) this.#labels.set(String(added.ID), `<id of ${/\w+/.exec(label)![0]}>`);
  }

  #relabel(value: Json, field = ""): Json {
    if (field === "raft_term" || field === "cluster_id") return `<${field}>`;
    if (typeof value === "string") return this.#labels.get(value) ?? value;
    if (Array.isArray(value)) {
      const items = value.map((item) => this.#relabel(item as Json));
      return field === "members" ? items.sort(byText) : items;
    }
    if (value === null || typeof value !== "object") return value;
    return Object.fromEntries(
      Object.entries(value).map(([name, each]) => [name, this.#relabel(each as Json, name)]),
    ) as JsonObject;
  }
}

function byText(a: Json, b: Json): number {
  return JSON.stringify(a) < JSON.stringify(b) ? -1 : 1;
}
