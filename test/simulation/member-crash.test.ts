// A whole member on a disk that loses power at any operation: every acknowledged write survives, nothing that was
// not asked for appears, the revision never goes back, and a second restart finds the same state as the first.
import { expect, test } from "bun:test";
import {
  decodeKeyValue,
  type PutResponseInit,
  type RangeResponseInit,
  type TxnResponseInit,
} from "../../src/api/index.ts";
import { utf8, utf8Text } from "../../src/base/bytes.ts";
import { newBunDigest } from "../../src/io/bun/index.ts";
import { silentLogger } from "../../src/io/index.ts";
import { Member } from "../../src/server/index.ts";
import { testMemberOptions } from "../../src/server/testing/stand-ins.ts";
import { FaultDisk, PowerCut } from "../disk/fault-disk.ts";
import { SeededRandom } from "../disk/seeded-random.ts";
import { simCall } from "./sim-call.ts";
import { SimClock } from "./sim-clock.ts";

const KEYS = 12;
const ROUNDS = 6;
const STEPS_PER_ROUND = 60;
const LARGE_VALUE_BYTES = 300_000;

interface KeyState {
  /** Values the key may have now: what was acknowledged last, and every write without an answer since. */
  possible: Set<string | null>;
  inFlight: boolean;
}

class Simulation {
  readonly random: SeededRandom;
  readonly clock = new SimClock();
  readonly disk = new FaultDisk();
  readonly keys: KeyState[] = [];
  member: Member | null = null;
  ackedRevision = 1;
  operations = 0;

  constructor(seed: number) {
    this.random = new SeededRandom(seed);
    this.disk.syncMode = "step";
    this.disk.makeDirectory("/data");
    for (let i = 0; i < KEYS; i++) this.keys.push({ possible: new Set([null]), inFlight: false });
  }

  /** Starts the member; false when the power went during the start. */
  start(): boolean {
    try {
      let ready = false;
      const options = testMemberOptions(this.disk, this.clock, {
        random: { uint32: () => this.random.below(2 ** 32), fill: (buffer) => buffer.fill(7) },
        newDigest: newBunDigest,
        logger: silentLogger,
        // Commits, snapshots and their cleaning up come often.
        batchIntervalMs: 20,
        batchWritesMax: 15,
        entriesPerSnapshot: 25,
        catchupEntries: 5,
        leaseCheckpoints: true,
      });
      const member = new Member(options);
      this.member = member;
      member.start(() => {
        ready = true;
      });
      this.runUntil(() => ready);
      this.disk.crashAfter = Number.POSITIVE_INFINITY;
      return true;
    } catch (error) {
      if (!(error instanceof PowerCut)) throw error;
      return false;
    }
  }

  /** Runs events and syncs until the condition holds. */
  runUntil(condition: () => boolean): void {
    for (let turns = 0; !condition(); turns++) {
      if (turns > 100_000) throw new Error("the member made no progress");
      this.turn();
    }
  }

  turn(): void {
    const syncFirst = this.random.chance(0.5);
    if (syncFirst && this.disk.step()) return;
    if (this.clock.runNext(this.clock.monotonicMs() + 5)) return;
    this.disk.step();
  }

  write(): void {
    const { kv } = this.member!.services;
    const index = this.random.below(KEYS);
    const state = this.keys[index]!;
    if (state.inFlight) return;
    const key = utf8(`key-${index}`);
    const name = `value-${this.operations++}`;
    // Some are so large that the database's commit takes several turns.
    const value = this.random.chance(0.02) ? name.padEnd(LARGE_VALUE_BYTES, ".") : name;
    const kind = this.random.below(10);
    const wanted = kind === 0 ? null : value;
    state.inFlight = true;
    state.possible.add(wanted);
    const acknowledge = (revision: number) => {
      state.inFlight = false;
      state.possible = new Set([wanted]);
      this.ackedRevision = Math.max(this.ackedRevision, revision);
    };
    if (kind === 0) {
      kv.deleteRange(
        { key, range_end: new Uint8Array(0), prev_kv: false },
        simCall((r) => r !== null && acknowledge(r.header?.revision ?? 0)),
      );
    } else if (kind <= 2) {
      const put = putRequest(key, utf8(value));
      kv.txn(
        { compare: [], success: [operation(put)], failure: [] },
        simCall<TxnResponseInit>((r) => r !== null && acknowledge(r.header?.revision ?? 0)),
      );
    } else {
      kv.put(
        putRequest(key, utf8(value)),
        simCall<PutResponseInit>((r) => r !== null && acknowledge(r.header?.revision ?? 0)),
      );
    }
  }

  compact(): void {
    const { state, services } = this.member!;
    const revision = state.store.revision() - this.random.below(10);
    services.kv.compact(
      { revision, physical: false },
      simCall(() => {}),
    );
  }

  round(): void {
    this.disk.crashAfter = this.disk.operationCount + 5 + this.random.below(250);
    try {
      for (let step = 0; step < STEPS_PER_ROUND; step++) {
        this.write();
        if (this.random.chance(0.05)) this.compact();
        for (let turns = this.random.below(6); turns > 0; turns--) this.turn();
      }
    } catch (error) {
      if (!(error instanceof PowerCut)) throw error;
    }
    this.crash();
  }

  crash(): void {
    this.clock.forgetAll();
    this.disk.crash(this.random.below(2 ** 31));
    this.member = null;
    for (const state of this.keys) state.inFlight = false;
  }

  read(): (string | null)[] {
    const out: (string | null)[] = [];
    for (let i = 0; i < KEYS; i++) {
      let answer: RangeResponseInit | null = null;
      this.member!.services.kv.range(
        rangeRequest(utf8(`key-${i}`)),
        simCall<RangeResponseInit>((response) => {
          answer = response;
        }),
      );
      this.runUntil(() => answer !== null);
      const record = answer!.kvs?.[0];
      out.push(record === undefined ? null : utf8Text(decodeKeyValue(record as Uint8Array).value));
    }
    return out;
  }

  check(seed: number): void {
    const where = `seed ${seed}`;
    expect(this.member!.state.store.revision(), where).toBeGreaterThanOrEqual(this.ackedRevision);
    expect(this.member!.state.membership.members().length, where).toBe(1);
    const values = this.read();
    for (let i = 0; i < KEYS; i++) {
      const state = this.keys[i]!;
      if (!state.possible.has(values[i]!)) {
        throw new Error(
          `${where}: key-${i} is ${values[i]}, but must be one of ${[...state.possible]}`,
        );
      }
      state.possible = new Set([values[i]!]);
    }
  }
}

function putRequest(key: Uint8Array, value: Uint8Array) {
  return { key, value, lease: 0n, prev_kv: false, ignore_value: false, ignore_lease: false };
}

function operation(put: ReturnType<typeof putRequest>) {
  return {
    request_put: put,
    request_range: undefined,
    request_delete_range: undefined,
    request_txn: undefined,
  };
}

function rangeRequest(key: Uint8Array) {
  return {
    key,
    range_end: new Uint8Array(0),
    limit: 0,
    revision: 0,
    sort_order: 0,
    sort_target: 0,
    serializable: false,
    keys_only: false,
    count_only: false,
    min_mod_revision: 0,
    max_mod_revision: 0,
    min_create_revision: 0,
    max_create_revision: 0,
  };
}

/** The power may go during a start as well, the very first one included. */
function startAtLast(simulation: Simulation, seed: number): void {
  const { disk, random } = simulation;
  if (random.chance(0.4)) disk.crashAfter = disk.operationCount + 1 + random.below(60);
  for (let tries = 0; !simulation.start(); tries++) {
    if (tries > 50) throw new Error(`seed ${seed}: the member never starts`);
    simulation.crash();
  }
}

function run(seed: number): void {
  const simulation = new Simulation(seed);
  for (let round = 0; round < ROUNDS; round++) {
    startAtLast(simulation, seed);
    simulation.check(seed);
    simulation.round();
  }
  startAtLast(simulation, seed);
  simulation.check(seed);
  const { store } = simulation.member!.state;
  const before = [store.revision(), store.compactRevision(), simulation.read()];
  simulation.crash();
  expect(simulation.start()).toBe(true);
  const again = simulation.member!.state.store;
  expect([again.revision(), again.compactRevision(), simulation.read()]).toEqual(before);
}

const first = Number(process.env.CAIRN_SEED ?? Date.now() % 1_000_000);
const count = Number(process.env.CAIRN_SEEDS ?? 40);

test(`a member loses no acknowledged write when the power goes (seeds ${first}..${first + count - 1})`, () => {
  for (let seed = first; seed < first + count; seed++) run(seed);
});
