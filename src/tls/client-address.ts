/**
 * Whether a member's certificate belongs to where it comes from: etcd's check of the names in a peer's client
 * certificate against the address of its connection, so that a stolen one is of no use elsewhere
 * (--peer-skip-client-san-verification turns it off). A certificate without names and addresses passes. An address is
 * compared; a name must resolve to the address; a wildcard must fit a name that the address resolves back to.
 */
import { lookup, reverse } from "node:dns/promises";
import { checkServerIdentity, type PeerCertificate } from "node:tls";

/** What the check asks of the name service; failures count as no answer. */
export interface NameService {
  addressesOf(name: string): Promise<readonly string[]>;
  namesOf(address: string): Promise<readonly string[]>;
}

export const systemNames: NameService = {
  addressesOf: async (name) => (await lookup(name, { all: true })).map(({ address }) => address),
  namesOf: (address) => reverse(address),
};

/** etcd's texts, or null when the certificate may be used from there. */
export async function clientAddressProblem(
  certificate: PeerCertificate | null,
  remoteAddress: string,
  names: NameService = systemNames,
): Promise<string | null> {
  const entries = certificate?.subjectaltname?.split(", ") ?? [];
  const hosts = valuesOf(entries, "DNS:");
  const addresses = valuesOf(entries, "IP Address:");
  if (certificate === null || hosts.length + addresses.length === 0) return null;
  const address = remoteAddress.replace(/^::ffff:(?=\d+\.)/, "");
  const fits = addresses.length > 0 && checkServerIdentity(address, certificate) === undefined;
  if (fits || (await resolvesTo(hosts, address, names))) return null;
  if (hosts.length === 0) {
    return `x509: certificate is valid for ${addresses.join(", ")}, not ${address}`;
  }
  const quoted = hosts.map((host) => JSON.stringify(host)).join(" ");
  return `tls: ${JSON.stringify(address)} does not match any of DNSNames [${quoted}]`;
}

function valuesOf(entries: readonly string[], prefix: string): string[] {
  const own = entries.filter((entry) => entry.startsWith(prefix));
  return own.map((entry) => entry.slice(prefix.length));
}

async function resolvesTo(
  hosts: readonly string[],
  address: string,
  names: NameService,
): Promise<boolean> {
  const wildcards = hosts.filter((host) => host.startsWith("*."));
  if (wildcards.length > 0) {
    const found = await names.namesOf(address).catch((): string[] => []);
    // The first label of a name is the only one that a wildcard stands for.
    const parents = found.map((name) => `*${name.replace(/\.$/, "").replace(/^[^.]*/, "")}`);
    if (parents.some((parent) => wildcards.includes(parent))) return true;
  }
  for (const host of hosts) {
    if (host.startsWith("*.")) continue;
    const found = await names.addressesOf(host).catch((): string[] => []);
    if (found.includes(address)) return true;
  }
  return false;
}
