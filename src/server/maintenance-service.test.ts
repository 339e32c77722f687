import { expect, test } from "bun:test";
import { FaultDisk } from "../../test/disk/fault-disk.ts";
import {
  type DefragmentResponseInit,
  decodeDefragmentRequest,
  decodeHashKVRequest,
  decodeHashRequest,
  type EtcdError,
  type HashKVResponseInit,
  type HashResponseInit,
  MemberInstruments,
  type MoveLeaderResponseInit,
  type UnaryCall,
} from "../api/index.ts";
import { utf8 } from "../base/bytes.ts";
import { Database } from "../database/index.ts";
import { silentLogger } from "../io/index.ts";
import { Store } from "../mvcc/index.ts";
import type { BackgroundTask } from "./background.ts";
import { type MaintenanceParts, MaintenanceServer } from "./maintenance-service.ts";

const ROWS = 2500;

function openMaintenance() {
  const database = Database.open({
    file: new FaultDisk().open("db", { create: true }),
    pageCacheBytes: 1 << 20,
    onFailure: (error) => {
      throw error;
    },
  });
  const store = Store.open({ database, onChanges: () => {} });
  for (let i = 0; i < ROWS; i++) {
    const transaction = store.beginTransaction();
    transaction.put(utf8(`k${i}`), utf8("v"), 0n, false);
    transaction.end();
  }
  database.commitNow();
  const tasks: BackgroundTask[] = [];
  const parts = {
    database,
    store,
    background: { add: (task: BackgroundTask) => tasks.push(task) },
    instruments: new MemberInstruments(),
    clock: { monotonicMs: () => 0 },
    headers: { header: (revision: number) => ({ revision }) },
    logger: silentLogger,
    committer: {
      commit: (done: () => void) => {
        database.commitNow();
        done();
      },
    },
  };
  const server = new MaintenanceServer(parts as unknown as MaintenanceParts);
  return { database, tasks, server };
}

class HeldCall {
  aborted = false;
  readonly answers: object[] = [];
  #listener: (() => void) | null = null;
  onAbort(listener: () => void): void {
    this.#listener = listener;
  }
  succeed(answer: object): void {
    this.answers.push(answer);
  }
  abort(): void {
    this.aborted = true;
    this.#listener?.();
  }
}

type Start = (server: MaintenanceServer, call: HeldCall) => void;
const STARTS: [string, Start][] = [
  [
    "Hash",
    (server, call) =>
      server.hash(
        decodeHashRequest(new Uint8Array(0)),
        call as unknown as UnaryCall<HashResponseInit>,
      ),
  ],
  [
    "HashKV",
    (server, call) =>
      server.hashKV(
        decodeHashKVRequest(new Uint8Array(0)),
        call as unknown as UnaryCall<HashKVResponseInit>,
      ),
  ],
];

test.each(STARTS)("%s: a call that is given up holds no state of the database", (_name, start) => {
  const { database, tasks, server } = openMaintenance();
  const call = new HeldCall();
  start(server, call);
  const task = tasks.pop()!;
  expect(task()).toBe(true);
  expect(database.openReadTransactions()).toBe(1);
  call.abort();
  expect(database.openReadTransactions()).toBe(0);
  expect(task()).toBe(false);
  database.close();
});

test.each(STARTS)("%s: answers once, and an abort afterwards does nothing", (_name, start) => {
  const { database, tasks, server } = openMaintenance();
  const call = new HeldCall();
  start(server, call);
  const task = tasks.pop()!;
  while (task()) expect(call.answers).toEqual([]);
  expect(call.answers.length).toBe(1);
  call.abort();
  expect(database.openReadTransactions()).toBe(0);
  database.close();
});

test("Defragment: calls that come while one runs are answered with it, and start none of their own", async () => {
  const { database, tasks, server } = openMaintenance();
  const calls = [new HeldCall(), new HeldCall(), new HeldCall()];
  const request = decodeDefragmentRequest(new Uint8Array(0));
  for (const call of calls) {
    server.defragment(request, call as unknown as UnaryCall<DefragmentResponseInit>);
  }
  expect(tasks.length).toBe(1);
  for (let turns = 0; tasks.length > 0 && turns < 1000; turns++) {
    const task = tasks.shift()!;
    if (task()) tasks.push(task);
    while (database.isCommitting()) await Promise.resolve();
  }
  expect(calls.map((call) => call.answers.length)).toEqual([1, 1, 1]);
});

test("MoveLeader answers when the target leads, and is refused by whoever does not lead", () => {
  const moves: { target: bigint; done: (moved: boolean) => void }[] = [];
  let leader = 1n;
  const parts = {
    memberId: 1n,
    raft: { leader: () => leader },
    membership: {
      member: (id: bigint) => (id <= 3n ? { id, isLearner: id === 3n } : undefined),
    },
    logger: silentLogger,
    moveLeadership: (target: bigint, done: (moved: boolean) => void) =>
      moves.push({ target, done }),
  };
  const server = new MaintenanceServer(parts as unknown as MaintenanceParts);
  const move = (targetID: bigint) => {
    const answers: unknown[] = [];
    const call = {
      succeed: (response: object) => answers.push(response),
      fail: (error: EtcdError) => answers.push(error.message),
    };
    server.moveLeader({ targetID }, call as unknown as UnaryCall<MoveLeaderResponseInit>);
    return answers;
  };
  expect(move(3n)).toEqual(["etcdserver: bad leader transferee"]);
  expect(move(9n)).toEqual(["etcdserver: bad leader transferee"]);
  expect(move(1n)).toEqual([{}]);
  expect(moves).toEqual([]);
  const [taken, late, elsewhere] = [move(2n), move(2n), move(2n)];
  expect(moves.map(({ target }) => target)).toEqual([2n, 2n, 2n]);
  expect(taken).toEqual([]);
  moves[1]!.done(false);
  leader = 3n;
  moves[2]!.done(true);
  leader = 2n;
  moves[0]!.done(true);
  expect(taken).toEqual([{}]);
  for (const answers of [late, elsewhere]) {
    expect(answers).toEqual(["etcdserver: request timed out, leader transfer took too long"]);
  }
  expect(move(1n)).toEqual(["etcdserver: not leader"]);
});
