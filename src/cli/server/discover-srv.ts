/**
 * Members of a new cluster from DNS (--discovery-srv): SRV records of _etcd-server-ssl._tcp.<domain> (https) and
 * _etcd-server._tcp.<domain> (http), both together. The record that leads to an address which this member advertises
 * is its own and gets its name; the others are called 0, 1, 2 in the order of the answer, per service, as etcd does.
 */
import { lookup } from "node:dns/promises";
import { isIP } from "node:net";
import type { Logger } from "../../io/index.ts";
import { parseFlagUrl } from "./urls.ts";

export interface SrvRecord {
  readonly name: string;
  readonly port: number;
}

/** The part of node:dns that is used: the system's, or one that asks a server of its own. */
export interface SrvResolver {
  resolveSrv(name: string): Promise<SrvRecord[]>;
}

export interface SrvQuestion {
  /** Of this member. */
  readonly name: string;
  readonly domain: string;
  /** Appended to the names of the services; "" for none. */
  readonly serviceSuffix: string;
  readonly advertisedUrls: readonly string[];
  readonly resolver: SrvResolver;
  readonly logger: Logger;
}

export interface SrvFailure {
  readonly failure: string;
}

/** The text for --initial-cluster. */
export async function discoverCluster(question: SrvQuestion): Promise<string | SrvFailure> {
  const { name, serviceSuffix, logger } = question;
  const parts: string[] = [];
  const failures: string[] = [];
  for (const scheme of ["https", "http"] as const) {
    const suffix = serviceSuffix === "" ? "" : `-${serviceSuffix}`;
    const service = `etcd-server${scheme === "https" ? "-ssl" : ""}${suffix}`;
    const found = await membersOf(question, scheme, service);
    const isFailure = !Array.isArray(found);
    logger.info(`get cluster for etcd-server${scheme === "https" ? "-ssl" : ""} SRV`, {
      "service-scheme": scheme,
      "service-name": service,
      "server-name": name,
      "discovery-srv": question.domain,
      "advertise-peer-urls": question.advertisedUrls,
      "found-cluster": isFailure ? [] : found,
      ...(isFailure ? { error: found.failure } : {}),
    });
    if (isFailure) failures.push(found.failure);
    else parts.push(...found);
  }
  if (failures.length > 0) {
    logger.warn("failed to resolve during SRV discovery", { error: failures.join("; ") });
  }
  if (parts.length === 0) return { failure: failures.join("; ") };
  for (const node of parts) logger.info("got bootstrap from DNS for etcd-server", { node });
  if (parts.some((part) => part.startsWith(`${name}=`))) return parts.join();
  return { failure: `cannot find local etcd member ${JSON.stringify(name)} in SRV records` };
}

async function membersOf(
  { name, domain, advertisedUrls, resolver }: SrvQuestion,
  scheme: "http" | "https",
  service: string,
): Promise<string[] | SrvFailure> {
  const own = await ownAddresses(advertisedUrls);
  if ("failure" in own) return own;
  const query = `_${service}._tcp.${domain}`;
  const fail = (why: string): SrvFailure => ({
    failure: `error querying DNS SRV records for _${service} ${why}`,
  });
  let records: SrvRecord[];
  try {
    records = await resolver.resolveSrv(query);
  } catch (error) {
    return fail(`lookup ${query}: ${dnsErrorText(error)}`);
  }
  const parts: string[] = [];
  let problem = "no records";
  let number = 0;
  for (const record of records) {
    const host = record.name.replace(/\.$/, "");
    const address = await addressOf(host, record.port);
    if (typeof address !== "string") {
      problem = address.failure;
      continue;
    }
    const ownUrl = own.urls.get(address);
    const url = `${scheme}://${host.includes(":") ? `[${host}]` : host}:${record.port}`;
    if (ownUrl !== undefined && !ownUrl.startsWith(`${scheme}:`)) {
      problem =
        `bootstrap at ${url} from DNS for ${service} has scheme mismatch with ` +
        `expected peer ${ownUrl}`;
      continue;
    }
    parts.push(`${ownUrl === undefined ? number++ : name}=${url}`);
  }
  return parts.length > 0 ? parts : fail(problem);
}

/** The advertised URLs by their addresses. */
async function ownAddresses(
  urls: readonly string[],
): Promise<{ readonly urls: ReadonlyMap<string, string> } | SrvFailure> {
  const byAddress = new Map<string, string>();
  for (const text of urls) {
    const url = parseFlagUrl(text);
    if ("failure" in url) return url;
    const address = await addressOf(url.host, Number(url.port));
    if (typeof address !== "string") return address;
    byAddress.set(address, text);
  }
  return { urls: byAddress };
}

async function addressOf(host: string, port: number): Promise<string | SrvFailure> {
  if (isIP(host) !== 0) return `${host}:${port}`;
  try {
    const { address } = await lookup(host, { family: 4 });
    return `${address}:${port}`;
  } catch (error) {
    return { failure: `lookup ${host}: ${dnsErrorText(error)}` };
  }
}

/** In the words of Go's resolver, which operators know. */
function dnsErrorText(error: unknown): string {
  const code = (error as NodeJS.ErrnoException).code ?? "";
  if (code === "ENOTFOUND" || code === "ENODATA" || code === "DNS_ENOTFOUND") return "no such host";
  if (code === "ETIMEOUT" || code === "DNS_ETIMEOUT") return "i/o timeout";
  return code === "" ? (error as Error).message : code;
}
