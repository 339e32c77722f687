// Load and kill -9, again and again, on one data directory: after each restart everything that was
// acknowledged or shown to a watcher is there, revisions have not gone back, a watch goes on without
// a gap, and at the end the database file is whole.
//
//   bun test/e2e/kill-loop.ts [--rounds 200] [--seed N] [--kind cairn|etcd] [--writers 8]
//
// kill-loop.test.ts runs a few rounds of it in every test run.

import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { GrpcClient, method } from "../differential/grpc-client.ts";
import { type JsonObject, plain, wire } from "../differential/plain.ts";
import { okOf } from "../differential/side.ts";
import {
  freePort,
  type Member,
  type MemberKind,
  spawnMember,
  startMember,
} from "../reference-etcd.ts";
import { checkDatabase } from "./database-check.ts";
import { KillHistory, type Revision } from "./kill-history.ts";
import { KillLoad, revisionsOf } from "./kill-load.ts";

export interface KillLoopOptions {
  readonly rounds: number;
  readonly seed: number;
  readonly kind: MemberKind;
  readonly writers: number;
  readonly flags?: readonly string[];
  readonly log?: (line: string) => void;
}

export interface KillLoopResult {
  readonly acknowledged: number;
  readonly revision: number;
}

const loadMillisecondsMax = 400;
const startMillisecondsMax = 250;
const watchMilliseconds = 15_000;
const everything = { key: "\0", range_end: "\0" };

export async function killLoop(options: KillLoopOptions): Promise<KillLoopResult> {
  const directory = mkdtempSync(join(tmpdir(), "cairn-kill-loop-"));
  const loop = new KillLoop(options, directory, {
    client: await freePort(),
    peer: await freePort(),
  });
  try {
    return await loop.run();
  } catch (failure) {
    options.log?.(`the data directory is kept: ${directory}`);
    throw new Error(`kill loop, seed ${options.seed}, ${loop.progress}`, { cause: failure });
  }
}

class KillLoop {
  readonly #options: KillLoopOptions;
  readonly #directory: string;
  readonly #ports: { client: number; peer: number };
  readonly #history = new KillHistory();
  #state: number;
  #round = 0;

  constructor(
    options: KillLoopOptions,
    directory: string,
    ports: { client: number; peer: number },
  ) {
    this.#options = options;
    this.#directory = directory;
    this.#ports = ports;
    this.#state = options.seed >>> 0;
  }

  get progress(): string {
    return `round ${this.#round}, ${this.#history.acknowledgedCount} writes acknowledged`;
  }

  async run(): Promise<KillLoopResult> {
    const { rounds, log } = this.#options;
    for (this.#round = 1; this.#round <= rounds; this.#round++) {
      const member = await this.#start();
      await this.#verify(member);
      await this.#loadAndKill(member);
      if (this.#round % 20 === 0) log?.(this.progress);
    }
    const member = await this.#start();
    await this.#verify(member);
    await member.stop();
    const problems = await checkDatabase(join(member.dataDirectory, "member", "snap", "db"));
    if (problems.length > 0) throw new Error(`the database is damaged: ${problems.join("; ")}`);
    rmSync(this.#directory, { recursive: true });
    return {
      acknowledged: this.#history.acknowledgedCount,
      revision: this.#history.checkedRevision,
    };
  }

  /** Sometimes the process is killed while it starts, before it serves. */
  async #start(): Promise<Member> {
    const { kind, flags } = this.#options;
    while (this.#below(4) === 0) {
      const early = spawnMember({ kind, flags }, this.#directory, this.#ports);
      await Bun.sleep(this.#below(startMillisecondsMax));
      await early.kill();
    }
    return await startMember({ kind, flags, directory: this.#directory, ports: this.#ports });
  }

  /** Load for a random time, sometimes with a compaction under way, then kill -9. */
  async #loadAndKill(member: Member): Promise<void> {
    const load = new KillLoad(member.endpoint, this.#history, `r${this.#round}`);
    const running = load.run(this.#options.writers);
    const milliseconds = this.#below(loadMillisecondsMax);
    if (this.#below(4) === 0) await this.#compact(member);
    await Bun.sleep(milliseconds);
    await member.kill();
    load.stop();
    await running;
  }

  /** Everything is checked up to here, so history below may go. */
  async #compact(member: Member): Promise<void> {
    const client = new GrpcClient(member.endpoint);
    const revision = this.#history.checkedRevision;
    const physical = this.#below(2) === 0;
    // Its answer does not matter: the process may be killed under it.
    await client.unary(method("KV", "Compact"), { revision, physical });
    client.close();
  }

  async #verify(member: Member): Promise<void> {
    const client = new GrpcClient(member.endpoint);
    try {
      const answer = okOf(await client.unary(method("KV", "Range"), everything));
      const current = Number((answer.header as JsonObject).revision);
      const history = await readHistory(client, this.#history.checkedRevision + 1, current);
      this.#history.check(history, current);
      const found = ((answer.kvs ?? []) as JsonObject[]).map((pair) => ({
        key: String(pair.key),
        value: String(pair.value ?? ""),
        modRevision: Number(pair.mod_revision),
      }));
      const wanted = this.#history.state();
      if (JSON.stringify(found) !== JSON.stringify(wanted)) {
        throw new Error(`the keys differ: ${firstDifference(found, wanted)}`);
      }
    } finally {
      client.close();
    }
  }

  #below(bound: number): number {
    this.#state = (Math.imul(this.#state, 1664525) + 1013904223) >>> 0;
    return Math.floor((this.#state / 2 ** 32) * bound);
  }
}

/** What a watch from one revision gives, up to another. */
async function readHistory(client: GrpcClient, from: number, to: number): Promise<Revision[]> {
  const revisions: Revision[] = [];
  if (from > to) return revisions;
  const stream = client.bidirectional(method("Watch", "Watch"));
  try {
    await new Promise<void>((resolve, reject) => {
      const timer = setTimeout(
        () => reject(new Error("the watch stands still")),
        watchMilliseconds,
      );
      stream.on("error", reject);
      stream.on("data", (data: object) => {
        const message = plain(data) as JsonObject;
        if (message.canceled) reject(new Error(`watch cancelled: ${JSON.stringify(message)}`));
        revisions.push(...revisionsOf(message));
        if ((revisions.at(-1)?.revision ?? 0) < to) return;
        clearTimeout(timer);
        resolve();
      });
      const create_request = { ...everything, start_revision: from };
      stream.write(wire({ create_request }) as object);
    });
  } finally {
    stream.on("error", () => {});
    stream.cancel();
  }
  return revisions;
}

function firstDifference(found: object[], wanted: object[]): string {
  const index = wanted.findIndex(
    (each, index) => JSON.stringify(each) !== JSON.stringify(found[index]),
  );
  const at = index < 0 ? wanted.length : index;
  return `${JSON.stringify(found[at])} instead of ${JSON.stringify(wanted[at])}`.slice(0, 500);
}

if (import.meta.main) {
  const { values } = parseArgs({
    options: {
      rounds: { type: "string", default: "200" },
      seed: { type: "string", default: String(Date.now() % 1_000_000) },
      kind: { type: "string", default: "cairn" },
      writers: { type: "string", default: "8" },
    },
  });
  const seed = Number(values.seed);
  console.log(`kill loop: ${values.rounds} rounds, seed ${seed}`);
  const result = await killLoop({
    rounds: Number(values.rounds),
    seed,
    kind: values.kind === "etcd" ? "etcd" : "cairn",
    writers: Number(values.writers),
    log: (line) => console.log(line),
  });
  console.log(`kept: ${result.acknowledged} acknowledged writes, revision ${result.revision}`);
}
