/** What the peer port answers to anybody: who is in the cluster, the version, health. */
import { encodeMember } from "../../cluster/index.ts";
import type { FetchHandler } from "../../http/index.ts";
import type { Member } from "../../server/index.ts";

export function peerFetch(member: Member, clientFetch: FetchHandler): FetchHandler {
  return (request, info) => {
    const path = new URL(request.url).pathname;
    if (path === "/version" || path === "/health") return clientFetch(request, info);
    if (path !== "/members") return new Response("404 page not found\n", { status: 404 });
    const rows = member.state.membership.members().map(encodeMember);
    return new Response(`[${rows.join(",")}]\n`, {
      headers: {
        "content-type": "application/json",
        "x-etcd-cluster-id": member.clusterId.toString(16),
      },
    });
  };
}
