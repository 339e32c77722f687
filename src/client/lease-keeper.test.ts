import { expect, test } from "bun:test";
import type { LeaseKeepAliveRequest } from "../api/index.ts";
import { BunClock } from "../io/bun/index.ts";
import { Client } from "./index.ts";
import { FakeMember } from "./testing/fake-member.ts";

/** Renews until the lease ends; what the member answers to each request comes from `answers`. */
async function keep(
  answers: readonly (number | "cut")[],
): Promise<{ ttls: number[]; error: unknown }> {
  let index = 0;
  const member = await FakeMember.start((_name, request: LeaseKeepAliveRequest, call) => {
    const answer = answers[index++] ?? 0;
    if (answer === "cut") call.cut();
    else call.send({ ID: request.ID, TTL: answer });
  });
  const client = new Client({ clock: new BunClock(), endpoints: [member.endpoint] });
  const ttls: number[] = [];
  const error = await new Promise((resolve) => {
    client.lease.keepAlive(7n, {
      onRenewed: (response) => ttls.push(response.TTL),
      onEnd: resolve,
    });
  });
  client.close();
  member.stop();
  return { ttls, error };
}

test("a lease is renewed at a third of its life until it is gone", async () => {
  const startedMs = performance.now();
  expect(await keep([1, 1, 0])).toEqual({ ttls: [1, 1], error: null });
  const elapsedMs = performance.now() - startedMs;
  expect(elapsedMs).toBeGreaterThan(600);
  expect(elapsedMs).toBeLessThan(3000);
});

test("a broken stream is opened again while the lease may live", async () => {
  expect(await keep([2, "cut", 2, 0])).toEqual({ ttls: [2, 2], error: null });
});

test("a lease that is gone is an error when renewed once", async () => {
  const member = await FakeMember.start((_name, _request, call) => call.send({ ID: 7n, TTL: 0 }));
  const client = new Client({ clock: new BunClock(), endpoints: [member.endpoint] });
  await expect(client.lease.keepAliveOnce(7n)).rejects.toMatchObject({
    message: "etcdserver: requested lease not found",
  });
  client.close();
  member.stop();
});
