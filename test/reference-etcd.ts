// One member as a child process, the real etcd or cairn, on free loopback ports and in a folder of
// its own. Used by the differential, end-to-end and kill-loop tests.
//
// Invariants: a process is waited for by condition (its /health), never by time; it is ended by its
// own pid; when it dies or does not come up, the error carries the end of its log.

import { closeSync, mkdtempSync, openSync, readFileSync, rmSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { cairnCommand } from "./cairn-command.ts";
import { referenceProgram, repositoryDirectory } from "./reference.ts";

export type MemberKind = "etcd" | "cairn";

export interface MemberOptions {
  readonly kind: MemberKind;
  /** Added after the flags this file sets itself. */
  readonly flags?: readonly string[];
  /** Whole environment of the process; default: PATH only. */
  readonly environment?: Readonly<Record<string, string>>;
  /** Where data and log go; default: a new temporary folder, removed by `remove`. */
  readonly directory?: string;
  /** Set when the client URL is https: how readiness is asked for. */
  readonly tls?: { readonly ca: string; readonly cert?: string; readonly key?: string };
  /** Ports of an earlier run of the same member. */
  readonly ports?: MemberPorts;
}

export interface MemberPorts {
  readonly client: number;
  readonly peer: number;
}

export interface Member {
  readonly kind: MemberKind;
  readonly pid: number;
  readonly endpoint: string;
  readonly url: string;
  readonly ports: MemberPorts;
  readonly directory: string;
  readonly dataDirectory: string;
  /** All that the process has written so far. */
  log(): string;
  /** SIGTERM, then waits; gives the exit code. */
  stop(): Promise<number>;
  /** kill -9, then waits. */
  kill(): Promise<void>;
  /** Ends the process if needed and deletes its folder. */
  remove(): Promise<void>;
  readonly exited: Promise<number>;
}

const readyMilliseconds = 15_000;
const pollMilliseconds = 10;
const startAttempts = 3;
const logTailCharacters = 4000;

/** A port that was free a moment ago. */
export async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve, reject) => {
    server.once("error", reject);
    server.listen(0, "127.0.0.1", resolve);
  });
  const address = server.address();
  await new Promise((resolve) => server.close(resolve));
  if (address === null || typeof address === "string") throw new Error("no port given");
  return address.port;
}

/** What runs as a server of this kind, before any flag. */
export function serverCommand(kind: MemberKind): string[] {
  return kind === "etcd" ? [referenceProgram("etcd")] : cairnCommand("server");
}

export function memberFlags(options: MemberOptions, ports: MemberPorts, data: string): string[] {
  const scheme = options.tls ? "https" : "http";
  const client = `${scheme}://127.0.0.1:${ports.client}`;
  const peer = `http://127.0.0.1:${ports.peer}`;
  return [
    ...["--name", "m1", "--data-dir", data],
    ...["--listen-client-urls", client, "--advertise-client-urls", client],
    ...["--listen-peer-urls", peer, "--initial-advertise-peer-urls", peer],
    ...["--initial-cluster", `m1=${peer}`],
    ...(options.flags ?? []),
  ];
}

/** Starts a member and resolves when it serves; a port taken meanwhile is replaced. */
export async function startMember(options: MemberOptions): Promise<Member> {
  const directory = options.directory ?? mkdtempSync(join(tmpdir(), `cairn-test-${options.kind}-`));
  for (let attempt = 1; ; attempt++) {
    const ports = options.ports ?? { client: await freePort(), peer: await freePort() };
    const member = spawnMember(options, directory, ports);
    try {
      await waitUntilReady(member, options);
      return member;
    } catch (failure) {
      const portTaken = member.log().includes("address already in use");
      await member.kill();
      if (!portTaken || options.ports || attempt === startAttempts) {
        if (options.directory === undefined) await member.remove();
        throw failure;
      }
    }
  }
}

/** Starts the process and does not wait for anything. */
export function spawnMember(options: MemberOptions, directory: string, ports: MemberPorts): Member {
  const dataDirectory = join(directory, "data");
  const logPath = join(directory, "server.log");
  const log = openSync(logPath, "a");
  const child = Bun.spawn({
    cmd: [...serverCommand(options.kind), ...memberFlags(options, ports, dataDirectory)],
    cwd: options.kind === "cairn" ? repositoryDirectory : directory,
    env: { PATH: process.env.PATH ?? "", ...(options.environment ?? {}) },
    stdin: "ignore",
    stdout: log,
    stderr: log,
  });
  closeSync(log);
  const endpoint = `127.0.0.1:${ports.client}`;
  const member: Member = {
    kind: options.kind,
    pid: child.pid,
    endpoint,
    url: `${options.tls ? "https" : "http"}://${endpoint}`,
    ports,
    directory,
    dataDirectory,
    exited: child.exited,
    log: () => readFileSync(logPath, "utf8"),
    async stop() {
      child.kill("SIGTERM");
      return await child.exited;
    },
    async kill() {
      child.kill("SIGKILL");
      await child.exited;
    },
    async remove() {
      await member.kill();
      rmSync(directory, { recursive: true, force: true });
    },
  };
  return member;
}

async function waitUntilReady(member: Member, options: MemberOptions): Promise<void> {
  let ended: number | null = null;
  member.exited.then((code) => {
    ended = code;
  });
  const deadline = performance.now() + readyMilliseconds;
  while (performance.now() < deadline) {
    if (ended !== null) break;
    if (await isHealthy(member.url, options)) return;
    await Bun.sleep(pollMilliseconds);
  }
  const why = ended === null ? `not ready in ${readyMilliseconds} ms` : `ended with code ${ended}`;
  throw new Error(`${member.kind}: ${why}\n${member.log().slice(-logTailCharacters)}`);
}

async function isHealthy(url: string, options: MemberOptions): Promise<boolean> {
  const tls = options.tls;
  try {
    const answer = await fetch(`${url}/health`, {
      signal: AbortSignal.timeout(2000),
      keepalive: false,
      ...(tls ? { tls: { ca: tls.ca, cert: tls.cert, key: tls.key } } : {}),
    });
    return answer.status === 200 && (await answer.text()).includes('"health":"true"');
  } catch {
    return false;
  }
}
