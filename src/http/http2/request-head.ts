/**
 * The header section of a request, checked against RFC 9113 section 8: pseudo headers first, each once, the
 * mandatory ones present; names in lower case; no connection-specific fields. A violation makes the request
 * malformed, which costs its stream, not the connection.
 */
export class RequestHead {
  method = "";
  scheme = "";
  authority = "";
  path = "";
  contentType = "";
  /** -1 when the client did not say. */
  contentLength = -1;
  /** Fields that are not pseudo headers: name, value, name, value, ... */
  fields: string[] = [];
  /** What the layer above made of this head; identical header blocks share one head. */
  memo: unknown = null;

  /** First value of a field, or null. */
  field(name: string): string | null {
    const fields = this.fields;
    for (let i = 0; i < fields.length; i += 2) {
      if (fields[i] === name) return fields[i + 1]!;
    }
    return null;
  }
}

/** The head, or what is wrong with it. */
export function requestHeadOf(list: readonly string[]): RequestHead | string {
  const head = new RequestHead();
  let at = 0;
  let seen = 0;
  for (; at < list.length && list[at]!.charCodeAt(0) === 0x3a; at += 2) {
    const value = list[at + 1]!;
    const bit = pseudoBit(list[at]!);
    if (bit === 0) return `unknown pseudo header ${list[at]}`;
    if ((seen & bit) !== 0) return `repeated pseudo header ${list[at]}`;
    seen |= bit;
    if (!isValue(value)) return `invalid value of ${list[at]}`;
    if (bit === METHOD) head.method = value;
    else if (bit === SCHEME) head.scheme = value;
    else if (bit === PATH) head.path = value;
    else head.authority = value;
  }
  if (head.method === "CONNECT") return "CONNECT is not supported";
  if (head.method === "" || head.scheme === "" || head.path === "") return "missing pseudo header";
  const wrong = readFields(head, list, at);
  return wrong === null ? head : wrong;
}

/** Checks a trailer section; null when it is well formed. */
export function trailersFault(list: readonly string[]): string | null {
  for (let i = 0; i < list.length; i += 2) {
    if (!isName(list[i]!)) return "invalid trailer name";
    if (!isValue(list[i + 1]!)) return `invalid value of trailer ${list[i]}`;
  }
  return null;
}

const METHOD = 1;
const SCHEME = 2;
const PATH = 4;
const AUTHORITY = 8;

function pseudoBit(name: string): number {
  switch (name) {
    case ":method":
      return METHOD;
    case ":scheme":
      return SCHEME;
    case ":path":
      return PATH;
    case ":authority":
      return AUTHORITY;
    default:
      return 0;
  }
}

function readFields(head: RequestHead, list: readonly string[], from: number): string | null {
  for (let i = from; i < list.length; i += 2) {
    const name = list[i]!;
    const value = list[i + 1]!;
    if (!isName(name)) return "invalid header name";
    if (!isValue(value)) return `invalid value of ${name}`;
    switch (name) {
      case "connection":
      case "proxy-connection":
      case "keep-alive":
      case "transfer-encoding":
      case "upgrade":
        return `${name} is not allowed in HTTP/2`;
      case "te":
        if (value !== "trailers") return "te must be trailers";
        break;
      case "content-type":
        head.contentType = value;
        break;
      case "content-length": {
        if (!/^\d{1,15}$/.test(value)) return "invalid content-length";
        const length = Number(value);
        if (head.contentLength >= 0 && head.contentLength !== length) return "two content-lengths";
        head.contentLength = length;
        break;
      }
    }
    head.fields.push(name, value);
  }
  return null;
}

/** A token in lower case (RFC 9110, 5.6.2 and RFC 9113, 8.2.1); a pseudo header is not one. */
function isName(name: string): boolean {
  if (name.length === 0) return false;
  for (let i = 0; i < name.length; i++) {
    const code = name.charCodeAt(i);
    if (code <= 0x20 || code >= 0x7f || code === 0x3a || (code >= 0x41 && code <= 0x5a)) {
      return false;
    }
  }
  return true;
}

function isValue(value: string): boolean {
  for (let i = 0; i < value.length; i++) {
    const code = value.charCodeAt(i);
    if (code === 0 || code === 10 || code === 13) return false;
  }
  return true;
}
