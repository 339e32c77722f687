// A cluster of real processes on loopback, the real etcd or cairn: the same flags, the same signals, and proxies
// between the members. Used by the fault runs, the refusal tests and the failover bench.
//
// Invariants: everything lives in one temporary folder, removed by `remove` unless `keep` was asked for; waits end
// by condition and carry the members' logs when they do not come true.

import { mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type Method, method } from "../differential/grpc-client.ts";
import type { Json, JsonObject } from "../differential/plain.ts";
import { ClusterMember, type MemberStatus } from "./cluster-member.ts";
import { LinkProxy } from "./link-proxy.ts";
import { Links } from "./links.ts";
import { freeLowPort, releasePort } from "./ports.ts";
import { mountSmallDisk, type SmallDisk } from "./small-disk.ts";
import { ownerOf } from "./socket-owner.ts";

export interface ClusterOptions {
  /** Program and first words that start a server. */
  readonly command: readonly string[];
  readonly size: number;
  /** Connections between members pass through proxies of ours. */
  readonly proxied: boolean;
  readonly heartbeatMs: number;
  readonly electionMs: number;
  /** For every member, after those this file sets. */
  readonly flags?: readonly string[];
  /** Each member on a small file system of its own, where this process may mount one. */
  readonly smallDisks?: boolean;
}

/** Without proxies, and with elections that a test can wait for. */
export const quickCluster = { proxied: false, heartbeatMs: 50, electionMs: 500 } as const;

const pollMilliseconds = 20;
const healthyMilliseconds = 30_000;
const token = "cluster-of-processes";

export class ClusterProcesses {
  readonly options: ClusterOptions;
  readonly directory = mkdtempSync(join(tmpdir(), "cairn-cluster-"));
  readonly links = new Links();
  readonly members: ClusterMember[] = [];
  readonly disks = new Map<string, SmallDisk>();
  readonly #proxies = new Map<string, LinkProxy>();
  #made = 0;

  constructor(options: ClusterOptions) {
    this.options = options;
  }

  /** Makes the members, starts them and waits until all are healthy. */
  static async start(options: ClusterOptions): Promise<ClusterProcesses> {
    const cluster = new ClusterProcesses(options);
    try {
      for (let i = 0; i < options.size; i++) await cluster.make();
      for (const member of cluster.members) member.spawn(cluster.flagsOf("new"));
      await cluster.waitHealthy();
      return cluster;
    } catch (failure) {
      await cluster.remove();
      throw failure;
    }
  }

  /** A member's place and proxy; no process yet. */
  async make(): Promise<ClusterMember> {
    const { proxied, command, smallDisks } = this.options;
    const name = `m${++this.#made}`;
    const directory = join(this.directory, name);
    mkdirSync(directory);
    const disk = smallDisks ? mountSmallDisk(join(directory, "data")) : null;
    if (disk !== null) this.disks.set(name, disk);
    const clientPort = await freeLowPort();
    const peerPort = await freeLowPort();
    const advertisedPort = proxied ? await freeLowPort() : peerPort;
    const place = { name, directory, clientPort, peerPort, advertisedPort };
    const member = new ClusterMember(place, command);
    this.members.push(member);
    if (proxied) {
      const proxy = new LinkProxy({
        member: name,
        listenPort: advertisedPort,
        targetPort: peerPort,
        links: this.links,
        callerOf: (port) => this.#callerOf(port),
      });
      await proxy.start();
      this.#proxies.set(name, proxy);
    }
    return member;
  }

  /** Flags of a start; `among`: the initial cluster, all members by default. */
  flagsOf(state: "new" | "existing", among: readonly ClusterMember[] = this.members): string[] {
    const { heartbeatMs, electionMs, flags = [] } = this.options;
    const initial = among.map(({ name, advertisedPeerUrl }) => `${name}=${advertisedPeerUrl}`);
    return [
      ...["--initial-cluster", initial.join(","), "--initial-cluster-state", state],
      ...["--initial-cluster-token", token],
      ...["--heartbeat-interval", String(heartbeatMs), "--election-timeout", String(electionMs)],
      ...flags,
    ];
  }

  /** Starts again what has data; the initial flags are not looked at then. */
  restart(member: ClusterMember): void {
    member.spawn(this.flagsOf("existing"));
  }

  member(name: string): ClusterMember {
    const found = this.members.find((each) => each.name === name);
    if (found === undefined) throw new Error(`no member ${name}`);
    return found;
  }

  othersOf(member: ClusterMember): ClusterMember[] {
    return this.members.filter((each) => each !== member);
  }

  /** The member that leads by its own word and that of a majority; null when there is none. */
  async leader(): Promise<ClusterMember | null> {
    const statuses = await Promise.all(this.members.map((member) => member.status()));
    const leads = (status: MemberStatus | null) =>
      status !== null && status.leaderId === status.memberId && status.leaderId !== "0";
    for (const [at, member] of this.members.entries()) {
      const own = statuses[at]!;
      if (!leads(own)) continue;
      const agreeing = statuses.filter((each) => each?.leaderId === own?.memberId).length;
      if (agreeing * 2 > this.members.length) return member;
    }
    return null;
  }

  async waitForLeader(limitMs = healthyMilliseconds): Promise<ClusterMember> {
    let found: ClusterMember | null = null;
    await this.wait("a leader", limitMs, async () => {
      found = await this.leader();
      return found !== null;
    });
    return found!;
  }

  async waitHealthy(
    members: readonly ClusterMember[] = this.members,
    limitMs = healthyMilliseconds,
  ): Promise<void> {
    await this.wait(`health of ${members.map(({ name }) => name)}`, limitMs, async () => {
      for (const member of members) {
        if (!member.isRunning) throw new Error(`${member.name} has ended\n${member.logTail()}`);
      }
      const healthy = await Promise.all(members.map((member) => member.isHealthy()));
      return healthy.every(Boolean);
    });
  }

  async wait(what: string, limitMs: number, condition: () => Promise<boolean>): Promise<void> {
    const endMs = performance.now() + limitMs;
    while (!(await condition())) {
      if (performance.now() > endMs) {
        const logs = this.members.map((member) => member.logTail()).join("\n");
        throw new Error(`${what} did not come in ${limitMs} ms\n${logs}`);
      }
      await Bun.sleep(pollMilliseconds);
    }
  }

  /** Asks the running members in turn until one answers; for calls that may be repeated. */
  async ask(to: Method, request: Json, limitMs = 15_000): Promise<JsonObject> {
    const endMs = performance.now() + limitMs;
    for (let attempt = 0; ; attempt++) {
      const able = this.members.filter((each) => each.isRunning && !each.isPaused);
      const member = able[attempt % Math.max(1, able.length)];
      if (member === undefined) throw new Error("no member runs");
      const outcome = await member.client.unary(to, request, { timeoutMilliseconds: 3000 });
      if ("ok" in outcome) return outcome.ok as JsonObject;
      if (performance.now() > endMs) {
        throw new Error(`${to.path}: ${outcome.error.code} ${outcome.error.details}`);
      }
      await Bun.sleep(100);
    }
  }

  async memberList(): Promise<JsonObject[]> {
    const answer = await this.ask(method("Cluster", "MemberList"), { linearizable: true });
    return (answer.members ?? []) as JsonObject[];
  }

  /** Removes by id and looks whether it is gone, so that a lost answer does no harm. */
  async removeMember(member: ClusterMember): Promise<void> {
    await this.wait(`removal of ${member.name}`, 20_000, async () => {
      const found = (await this.memberList()).find((each) =>
        ((each.peerURLs ?? []) as Json[]).includes(member.advertisedPeerUrl),
      );
      if (found === undefined) return true;
      const asked = this.members.find((each) => each !== member && each.isRunning)!;
      const request = { ID: found.ID! };
      await asked.client.unary(method("Cluster", "MemberRemove"), request, {
        timeoutMilliseconds: 5000,
      });
      return false;
    });
  }

  async addMember(member: ClusterMember): Promise<void> {
    await this.wait(`addition of ${member.name}`, 20_000, async () => {
      const known = (await this.memberList()).flatMap((each) => (each.peerURLs ?? []) as Json[]);
      if (known.includes(member.advertisedPeerUrl)) return true;
      const asked = this.members.find((each) => each !== member && each.isRunning)!;
      const request = { peerURLs: [member.advertisedPeerUrl] };
      await asked.client.unary(method("Cluster", "MemberAdd"), request, {
        timeoutMilliseconds: 5000,
      });
      return false;
    });
  }

  /** Forgets a member that was removed. */
  async forget(member: ClusterMember): Promise<void> {
    await member.kill();
    member.close();
    this.#proxies.get(member.name)?.close();
    this.#proxies.delete(member.name);
    this.members.splice(this.members.indexOf(member), 1);
  }

  logs(): string {
    return this.members.map((member) => member.logTail()).join("\n");
  }

  /** Ends everything and removes the folder, unless it is to be looked at. */
  async remove(keep = false): Promise<void> {
    for (const disk of this.disks.values()) disk.thaw();
    await Promise.all(this.members.map((member) => member.kill()));
    for (const member of this.members) {
      member.close();
      const { clientPort, peerPort, advertisedPort } = member.place;
      for (const port of [clientPort, peerPort, advertisedPort]) releasePort(port);
    }
    for (const proxy of this.#proxies.values()) proxy.close();
    if (keep) return;
    for (const disk of this.disks.values()) disk.unmount();
    rmSync(this.directory, { recursive: true, force: true });
  }

  #callerOf(port: number): string | null {
    const pids = new Map<number, string>();
    for (const { pid, name } of this.members) if (pid !== null) pids.set(pid, name);
    const owner = ownerOf(port, pids.keys());
    return owner === null ? null : pids.get(owner)!;
  }
}
