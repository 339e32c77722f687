/** /version: clients and tools gate features on it. `cairn` is our own version, which etcd does not have. */
import type { HealthService } from "../api/index.ts";
import { sizedResponse } from "./sized-response.ts";

export function versionPage(health: HealthService): Response {
  const { server, cluster, storage, cairn } = health.versions();
  const body = JSON.stringify({ etcdserver: server, etcdcluster: cluster, storage, cairn });
  return sizedResponse(body, 200, { "Content-Type": "application/json" });
}
