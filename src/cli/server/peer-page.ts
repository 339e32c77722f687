/** What the peer port answers to anybody: who is in the cluster, the version, health. */
import type { FetchHandler } from "../../http/index.ts";
import type { Member } from "../../server/index.ts";

export function peerFetch(member: Member, clientFetch: FetchHandler): FetchHandler {
  return (request, info) => {
    const path = new URL(request.url).pathname;
    if (path === "/version" || path === "/health") return clientFetch(request, info);
    if (path !== "/members") return new Response("404 page not found\n", { status: 404 });
    return new Response(`${membersJson(member)}\n`, {
      headers: {
        "content-type": "application/json",
        "x-etcd-cluster-id": member.clusterId.toString(16),
      },
    });
  };
}

/** Ids are numbers of 64 bits, which JSON.stringify cannot write. */
function membersJson(member: Member): string {
  const rows = member.membership.members().map((row) => {
    const parts = [`"id":${row.id}`, `"peerURLs":${JSON.stringify(row.peerUrls)}`];
    if (row.isLearner) parts.push('"isLearner":true');
    if (row.name !== "") parts.push(`"name":${JSON.stringify(row.name)}`);
    if (row.clientUrls.length > 0) parts.push(`"clientURLs":${JSON.stringify(row.clientUrls)}`);
    return `{${parts.join(",")}}`;
  });
  return `[${rows.join(",")}]`;
}
