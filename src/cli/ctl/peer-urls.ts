/** Checks URLs that members shall reach each other by, with etcd's words for what is wrong. */
const SCHEMES = ["http", "https", "unix", "unixs"];

export function peerUrlsFailure(urls: readonly string[]): string | null {
  for (const url of urls) {
    const failure = peerUrlFailure(url.trim());
    if (failure !== null) return failure;
  }
  return null;
}

function peerUrlFailure(url: string): string | null {
  const parts = /^([a-z][a-z0-9+.-]*):\/\/([^/?#]*)(.*)$/i.exec(url);
  if (parts === null || !SCHEMES.includes(parts[1]!)) {
    return `URL scheme must be http, https, unix, or unixs: ${url}`;
  }
  if (parts[1]!.startsWith("unix")) return null;
  if (!/^(\[[^\]]*\]|[^:]*):[^:]*$/.test(parts[2]!)) {
    return `URL address does not have the form "host:port": ${url}`;
  }
  return parts[3] === "" ? null : `URL must not contain a path: ${url}`;
}
