import { expect, test } from "bun:test";
import { parseEndpoint } from "./endpoint.ts";

test("parseEndpoint takes every form that etcd's client takes", () => {
  const rows: [string, boolean, string][] = [
    ["127.0.0.1:2379", false, "tcp 127.0.0.1:2379"],
    ["127.0.0.1:2379", true, "tls 127.0.0.1:2379"],
    ["http://127.0.0.1:2379", true, "tcp 127.0.0.1:2379"],
    ["https://example.com:2379", false, "tls example.com:2379"],
    ["https://example.com:2379/", false, "tls example.com:2379"],
    ["http://10.0.0.2", false, "tcp 10.0.0.2:2379"],
    ["[::1]:2379", false, "tcp ::1:2379"],
    ["unix:///var/run/etcd.sock", true, "tcp /var/run/etcd.sock"],
    ["unixs:///var/run/etcd.sock", false, "tls /var/run/etcd.sock"],
    ["unix:localhost:12345", false, "tcp localhost:12345"],
  ];
  for (const [text, tls, expected] of rows) {
    const result = parseEndpoint(text, tls);
    if ("failure" in result) throw new Error(result.failure);
    const { endpoint } = result;
    const place = endpoint.path || `${endpoint.host}:${endpoint.port}`;
    expect(`${endpoint.tls ? "tls" : "tcp"} ${place}`).toBe(expected);
  }
  for (const text of ["ftp://x", "a:b", "a:99999", "unix://", "a:1:2"]) {
    expect(parseEndpoint(text, false)).toHaveProperty("failure");
  }
});
