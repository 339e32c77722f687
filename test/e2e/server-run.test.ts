// What only a running server shows: settings from the environment and a file, the order of the log, the wait status,
// listeners of every kind.

import { afterAll, describe, expect, test } from "bun:test";
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { freePort } from "../reference-etcd.ts";
import {
  health,
  memberFlags,
  messagesOf,
  newDirectory,
  removeServerDirectories,
  start,
} from "./server-process.ts";

afterAll(removeServerDirectories);

const READY = "ready to serve client requests";

describe("a running server", () => {
  test.each([["SIGTERM", "terminated"] as const, ["SIGINT", "interrupt"] as const])(
    "%s ends it in good order, by that signal, and a second one changes nothing",
    async (signal, name) => {
      const member = await start(await memberFlags());
      member.signal(signal);
      member.signal(signal);
      expect((await member.ended).signal).toBe(signal);
      const messages = messagesOf(member.log());
      const wanted = [
        "Running: ",
        "configuring peer listeners",
        "configuring client listeners",
        "starting an etcd server",
        "opened backend db",
        "published local member to cluster through raft",
        READY,
        "serving client traffic insecurely; this is strongly discouraged!",
        "notifying init daemon",
        "successfully notified init daemon",
        "received signal; shutting down",
        "closing etcd server",
        "skipped leadership transfer for single voting member cluster",
        "closed etcd server",
      ];
      expect(messages.filter((message) => wanted.includes(message))).toEqual(wanted);
      expect(messages).toContain("enabled capabilities for version");
      expect(member.log()).toContain(`"signal":"${name}"`);
      expect(member.log()).not.toMatch(/"level":"(error|fatal)"/);
    },
  );

  test("everything can come from the environment", async () => {
    const client = `http://127.0.0.1:${await freePort()}`;
    const peer = `http://127.0.0.1:${await freePort()}`;
    const member = await start([], {
      ETCD_NAME: "etcd-01",
      ETCD_DATA_DIR: "data",
      ETCD_LISTEN_CLIENT_URLS: `${client},${client}`,
      ETCD_ADVERTISE_CLIENT_URLS: client,
      ETCD_LISTEN_PEER_URLS: peer,
      ETCD_INITIAL_ADVERTISE_PEER_URLS: peer,
      ETCD_INITIAL_CLUSTER: `etcd-01=${peer}`,
      ETCD_INITIAL_CLUSTER_STATE: "new",
      ETCD_INITIAL_CLUSTER_TOKEN: "k8s-etcd-cluster",
      ETCD_PROXY: "off",
      ETCD_ENABLE_V2: "true",
      ETCD_LOGGER: "zap",
      ETCD_ENABLE_SYSTEMD_NOTIFY: "true",
      ETCD_UNSUPPORTED_ARCH: "arm64",
      ETCD_VERIFY: "all",
    });
    expect(await health(client)).toBe(200);
    member.signal("SIGTERM");
    expect((await member.ended).signal).toBe("SIGTERM");
    const log = member.log();
    expect(log).toContain('"variable-name":"ETCD_NAME","variable-value":"etcd-01"');
    expect(log).toContain('"environment-variable":"ETCD_ENABLE_SYSTEMD_NOTIFY=true"');
    expect(log).not.toContain("ETCD_VERIFY");
  });

  test("--config-file replaces flags and environment", async () => {
    const client = `http://127.0.0.1:${await freePort()}`;
    const peer = `http://127.0.0.1:${await freePort()}`;
    const text = [
      "name: from-file",
      `listen-client-urls: ${client}`,
      `listen-peer-urls: ${peer}`,
      `initial-advertise-peer-urls: ${peer}`,
      "no-such-key: 5",
    ].join("\n");
    const member = await start(
      ["--config-file=c.yml", "--name=from-flag"],
      { ETCD_NAME: "from-environment", ETCD_HEARTBEAT_INTERVAL: "abc" },
      { "c.yml": text },
    );
    expect(await health(client)).toBe(200);
    expect(member.log()).toContain('"name":"from-file"');
    expect(member.log()).toContain("loaded server configuration, other configuration command");
    member.signal("SIGTERM");
    await member.ended;
  });

  test("gRPC and HTTP on URLs of their own, metrics apart, and unix sockets", async () => {
    const ports = await Promise.all([freePort(), freePort(), freePort(), freePort()]);
    const [client, http, metrics, peer] = ports.map((port) => `http://127.0.0.1:${port}`);
    const member = await start([
      ...[`--listen-client-urls=${client},unix://client.sock`, `--advertise-client-urls=${client}`],
      ...[`--listen-client-http-urls=${http},unix://http.sock`, `--listen-metrics-urls=${metrics}`],
      ...[`--listen-peer-urls=${peer}`, `--initial-advertise-peer-urls=${peer}`],
    ]);
    expect(await health(http!)).toBe(200);
    expect(await health("http://unix", join(member.directory, "http.sock"))).toBe(200);
    expect(await health(metrics!)).toBe(200);
    expect((await fetch(`${metrics}/version`)).status).toBe(404);
    const served = messagesOf(member.log()).filter((text) => text.startsWith("serving client"));
    expect(served.length).toBe(4);
    expect(member.log()).toContain('"traffic":"grpc","address":"client.sock"');
    member.signal("SIGTERM");
    expect((await member.ended).signal).toBe("SIGTERM");
  });

  test("odd data directories are warned about and used", async () => {
    const directory = newDirectory();
    mkdirSync(join(directory, "data"), { mode: 0o755 });
    writeFileSync(join(directory, "data", "foo"), "");
    const flags = [...(await memberFlags()), `--data-dir=${join(directory, "data")}`];
    const member = await start(flags);
    member.signal("SIGTERM");
    await member.ended;
    expect(member.log()).toContain('but the permission is \\"drwxr-xr-x\\". The recommended');
    expect(member.log()).toContain(
      '"msg":"found invalid file under data directory","filename":"foo"',
    );
  });

  test("certificates with http URLs are ignored with a warning", async () => {
    const member = await start([...(await memberFlags()), "--cert-file=/nofile", "--key-file=/no"]);
    member.signal("SIGTERM");
    await member.ended;
    expect(member.log()).toContain("while key and cert files are present; ignoring key and cert");
  });
});
