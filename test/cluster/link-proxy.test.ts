import { afterEach, expect, test } from "bun:test";
import { createServer, connect as dial, type Server, type Socket } from "node:net";
import { until } from "../grpc-fixture.ts";
import { LinkProxy } from "./link-proxy.ts";
import { Links } from "./links.ts";
import { freePortPair } from "./ports.ts";

const closers: (() => void)[] = [];
afterEach(() => {
  for (const close of closers.splice(0)) close();
});

/** A caller named a dials b through the proxy; both sides note what they get. */
async function pair(links: Links) {
  const [listenPort, targetPort] = await freePortPair();
  const got = { a: "", b: "" };
  const state = { accepted: null as Socket | null, closedA: false, closedB: false };
  const server: Server = createServer((socket) => {
    state.accepted = socket;
    socket.on("data", (chunk) => {
      got.b += chunk.toString();
    });
    socket.on("error", () => {});
    socket.on("close", () => {
      state.closedB = true;
    });
  });
  await new Promise<void>((resolve) => server.listen(targetPort, "127.0.0.1", resolve));
  const proxy = new LinkProxy({ member: "b", listenPort, targetPort, links, callerOf: () => "a" });
  await proxy.start();
  const caller = dial(listenPort, "127.0.0.1");
  caller.on("data", (chunk) => {
    got.a += chunk.toString();
  });
  caller.on("error", () => {});
  caller.on("close", () => {
    state.closedA = true;
  });
  closers.push(() => {
    caller.destroy();
    proxy.close();
    server.close();
    state.accepted?.destroy();
  });
  return { caller, got, state };
}

test("LinkProxy carries both ways, and ends what one side ends", async () => {
  const { caller, got, state } = await pair(new Links());
  caller.write("x".repeat(3_000_000));
  await until(() => got.b.length === 3_000_000);
  state.accepted!.write("back");
  await until(() => got.a === "back");
  caller.end("last");
  await until(() => state.closedB && got.b.endsWith("last"));
});

test("a link that is dropped one way holds bytes until it heals, the other way goes on", async () => {
  const links = new Links();
  const { caller, got, state } = await pair(links);
  caller.write("1");
  await until(() => got.b === "1");
  links.set("a", "b", { cut: "drop" });
  caller.write("2");
  state.accepted!.write("back");
  await until(() => got.a === "back");
  expect(got.b).toBe("1");
  links.heal();
  await until(() => got.b === "12");
});

test("the end of a dead sender waits while its link is dropped", async () => {
  const links = new Links();
  const { caller, got, state } = await pair(links);
  caller.write("1");
  await until(() => got.b === "1");
  links.setBoth("a", "b", { cut: "drop" });
  caller.destroy();
  await Bun.sleep(50);
  expect(state.closedB).toBe(false);
  links.heal();
  await until(() => state.closedB);
});

test("reset breaks connections, a delay delays", async () => {
  const links = new Links();
  links.set("a", "b", { delayMs: 60 });
  const { caller, got, state } = await pair(links);
  const start = performance.now();
  caller.write("1");
  await until(() => got.b === "1");
  expect(performance.now() - start).toBeGreaterThan(55);
  links.setBoth("a", "b", { cut: "reset" });
  await until(() => state.closedA && state.closedB);
});
