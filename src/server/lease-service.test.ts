import { expect, test } from "bun:test";
import { FaultDisk } from "../../test/disk/fault-disk.ts";
import {
  decodeLeaseKeepAliveRequest,
  decodeLeaseTimeToLiveRequest,
  encodeLeaseKeepAliveRequest,
  type LeaseKeepAliveRequest,
  type LeaseKeepAliveResponseInit,
  type LeaseTimeToLiveResponseInit,
  ProtoWriter,
  type RequestStream,
  type StreamCall,
  type UnaryCall,
} from "../api/index.ts";
import { Database } from "../database/index.ts";
import { Lessor } from "../lease/index.ts";
import { LeaseServer, type LeaseServiceParts } from "./lease-service.ts";

/** A stream of requests that keeps what comes while it is paused. */
class Renewals {
  #listener: (request: LeaseKeepAliveRequest) => void = () => {};
  #waiting: LeaseKeepAliveRequest[] = [];
  paused = false;
  onMessage(listener: (request: LeaseKeepAliveRequest) => void): void {
    this.#listener = listener;
  }
  onEnd(): void {}
  pause(): void {
    this.paused = true;
  }
  resume(): void {
    this.paused = false;
    while (!this.paused && this.#waiting.length > 0) this.#listener(this.#waiting.shift()!);
  }
  send(ID: bigint): void {
    const writer = new ProtoWriter();
    encodeLeaseKeepAliveRequest(writer, { ID });
    this.#waiting.push(decodeLeaseKeepAliveRequest(writer.finish()));
    if (!this.paused) this.resume();
  }
}

function openLeases() {
  const database = Database.open({
    file: new FaultDisk().open("db", { create: true }),
    pageCacheBytes: 1 << 20,
    onFailure: (error) => {
      throw error;
    },
  });
  const lessor = new Lessor(database, { ttlSecondsMin: 2 });
  lessor.promote(0, 0);
  const time = { nowMs: 0 };
  const server = new LeaseServer({
    lessor,
    clock: { monotonicMs: () => time.nowMs },
    store: { revision: () => 1 },
    headers: { header: (revision: number) => ({ revision }) },
    reads: { wait: (done: (problem: null) => void) => done(null) },
  } as unknown as LeaseServiceParts);
  const requests = new Renewals();
  const answers: string[] = [];
  let aborted = (): void => {};
  const call = {
    send: ({ ID, TTL }: LeaseKeepAliveResponseInit) => answers.push(`${ID}: ${TTL}`) > 0,
    onAbort: (listener: () => void) => {
      aborted = listener;
    },
  };
  server.leaseKeepAlive(
    requests as unknown as RequestStream<LeaseKeepAliveRequest>,
    call as unknown as StreamCall<LeaseKeepAliveResponseInit>,
  );
  return { lessor, time, server, requests, answers, abort: () => aborted() };
}

test("renewing an expired lease waits until it is revoked; what comes behind it keeps its order", () => {
  const { lessor, time, server, requests, answers } = openLeases();
  lessor.grant(7n, 2, 0);
  lessor.grant(8n, 60, 0);
  requests.send(7n);
  expect(answers).toEqual(["7: 2"]);
  time.nowMs = 2000;
  requests.send(7n);
  requests.send(8n);
  server.onApplied();
  expect(answers).toEqual(["7: 2"]);
  lessor.revoke(7n);
  // A lease of the same id that was granted at once is not the one asked about.
  lessor.grant(7n, 5, time.nowMs);
  server.onApplied();
  expect(answers).toEqual(["7: 2", "7: 0", "8: 60"]);
  requests.send(7n);
  expect(answers.at(-1)).toBe("7: 5");
});

test("a stream that ended while it waited is forgotten", () => {
  const { lessor, time, server, requests, answers, abort } = openLeases();
  lessor.grant(7n, 2, 0);
  time.nowMs = 2000;
  requests.send(7n);
  abort();
  lessor.revoke(7n);
  server.onApplied();
  expect(answers).toEqual([]);
});

test("the time to live of an expired lease is 0 until it is revoked, then -1", () => {
  const { lessor, time, server } = openLeases();
  lessor.grant(0n, 2, 0);
  const ask = (): LeaseTimeToLiveResponseInit => {
    let answer: LeaseTimeToLiveResponseInit = {};
    const succeed = (response: LeaseTimeToLiveResponseInit) => {
      answer = response;
    };
    const call = { succeed } as unknown as UnaryCall<LeaseTimeToLiveResponseInit>;
    server.leaseTimeToLive(decodeLeaseTimeToLiveRequest(new Uint8Array(0)), call);
    return answer;
  };
  expect(ask().TTL).toBe(2);
  time.nowMs = 2300;
  expect([ask().TTL, ask().grantedTTL]).toEqual([0, 2]);
  lessor.revoke(0n);
  expect([ask().TTL, ask().grantedTTL]).toEqual([-1, undefined]);
});
