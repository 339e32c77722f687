/**
 * The URLs under which a member is reached by the others, checked and written as etcd does (types.NewURLs over Go's
 * net/url): scheme in lower case, characters of a host beyond ASCII as escapes, sorted. Pure text; nothing is looked
 * up.
 */

const URL_PARTS = /^([a-zA-Z][a-zA-Z0-9+.-]*):(.*)$/s;
/** user information, host; what comes after is a path, a query or a fragment. */
const AUTHORITY = /^\/\/(?:([^/?#]*)@)?([^/?#]*)(.*)$/s;
const HOST_AND_PORT = /^(?:\[([^[\]]*)\]|([^:[\]]*)):(\d*)$/;
const HOST_CHARACTERS = /^(?:[\w.~!$&'()*+,;=<>"-]|%[89a-fA-F][0-9a-fA-F])*$/;
const ADDRESS_CHARACTERS = /^[\w.~!$&'()*+,;=<>":-]*(?:%25[\w.~-]+)?$/;
const USER_CHARACTERS = /^(?:[\w.~!$&'()*+,;=:@-]|%[0-9a-fA-F]{2})*$/;
// biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is refused
const CONTROL_CHARACTERS = /[\x00-\x1f\x7f]/;

/** Null when there is none, or one of them is not a member's URL. */
export function parsePeerUrls(urls: readonly string[]): string[] | null {
  const parsed: string[] = [];
  for (const url of urls) {
    const one = parsePeerUrl(url.trim());
    if (one === null) return null;
    parsed.push(one);
  }
  return parsed.length === 0 ? null : parsed.sort();
}

function parsePeerUrl(url: string): string | null {
  const parts = URL_PARTS.exec(url);
  if (parts === null || CONTROL_CHARACTERS.test(url) || !url.isWellFormed()) return null;
  const scheme = parts[1]!.toLowerCase();
  const rest = parts[2]!.replace(/[^\0-\x7f]+/g, encodeURIComponent);
  switch (scheme) {
    case "http":
    case "https":
      return isHostWithPort(rest) ? `${scheme}:${rest}` : null;
    case "unix":
    case "unixs":
      return rest.includes(" ") ? null : `${scheme}:${rest}`;
    default:
      return null;
  }
}

function isHostWithPort(text: string): boolean {
  const [, user, host, rest] = AUTHORITY.exec(text) ?? [];
  if (host === undefined || rest === undefined) return false;
  if (user !== undefined && !USER_CHARACTERS.test(user)) return false;
  const [, address, name] = HOST_AND_PORT.exec(host) ?? [];
  if (address === undefined && name === undefined) return false;
  const isHost =
    address === undefined ? HOST_CHARACTERS.test(name!) : ADDRESS_CHARACTERS.test(address);
  // A path says that somebody means another thing; a query is let through, as there.
  return isHost && !rest.startsWith("/");
}
