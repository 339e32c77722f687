// HTTP/1.1 requests of a case: the JSON gateway and the plain pages. The answer keeps status, the
// headers that clients look at, and the body; JSON bodies keep the order of their fields, which is
// compared, and lose the white space, which etcd itself varies on purpose.

import type { Json, JsonObject } from "./plain.ts";

export interface HttpOptions {
  readonly method?: string;
  /** Sent as it is when a string, else as JSON. */
  readonly body?: Json;
  readonly headers?: Readonly<Record<string, string>>;
  /** Text bodies are replaced by this, for pages whose text is compared elsewhere. */
  readonly bodyOf?: (text: string) => Json;
}

const keptHeaders = [
  "content-type",
  "grpc-metadata-content-type",
  "access-control-allow-origin",
  "access-control-allow-methods",
  "access-control-allow-headers",
  "allow",
  "x-content-type-options",
  "www-authenticate",
  "trailer",
  "location",
];
const requestMilliseconds = 15_000;

export class HttpClient {
  readonly #url: string;

  constructor(url: string) {
    this.#url = url;
  }

  async request(path: string, options: HttpOptions = {}): Promise<Json> {
    const answer = await this.raw(path, options);
    const text = await answer.text();
    const headers = headersOf(answer);
    return { status: answer.status, headers, body: (options.bodyOf ?? bodyOf)(text) };
  }

  /** Reads this many lines of a streamed answer; `act` runs once the first line is here. */
  async lines(
    path: string,
    options: HttpOptions,
    count: number,
    act?: () => Promise<void>,
  ): Promise<Json> {
    const answer = await this.raw(path, options);
    const reader = answer.body?.getReader();
    if (reader === undefined)
      return { status: answer.status, headers: headersOf(answer), body: "" };
    const decoder = new TextDecoder();
    let text = "";
    let acted = false;
    while (text.split("\n").length <= count) {
      const part = await reader.read();
      if (part.done) break;
      text += decoder.decode(part.value, { stream: true });
      if (!acted && act) await act();
      acted = true;
    }
    await reader.cancel();
    // More lines may have come in the last read.
    const first = text.split("\n").slice(0, count).join("\n");
    const body = bodyOf(text.split("\n").length > count ? `${first}\n` : text);
    return { status: answer.status, headers: headersOf(answer), body };
  }

  raw(path: string, options: HttpOptions = {}): Promise<Response> {
    const verb = options.method ?? "POST";
    const { body } = options;
    return fetch(this.#url + path, {
      method: verb,
      ...(body === undefined
        ? {}
        : { body: typeof body === "string" ? body : JSON.stringify(body) }),
      headers: options.headers ?? {},
      redirect: "manual",
      signal: AbortSignal.timeout(requestMilliseconds),
    });
  }
}

function headersOf(answer: Response): JsonObject {
  const headers: JsonObject = {};
  for (const name of keptHeaders) {
    const value = answer.headers.get(name);
    if (value !== null) headers[name] = value;
  }
  return headers;
}

/** JSON lines become their values, with a mark for the final newline; lines of checks, which come in
 * any order, are sorted; other text stays. */
function bodyOf(text: string): Json {
  if (/^\[[+-]\]/.test(text)) return text.split("\n").sort();
  if (!text.startsWith("{")) return text;
  try {
    const lines = text.split("\n");
    const last = lines.pop();
    const values = (last === "" ? lines : [...lines, last ?? ""]).map((line) => ordered(line));
    return { json: values, newline: last === "" };
  } catch {
    return text;
  }
}

/** An object as a list of pairs would lose readability; the order is kept in a field of its own. */
function ordered(line: string): Json {
  const value = JSON.parse(line) as Json;
  return { value, order: orderOf(value) };
}

/** The names of fields in the order they come, nested ones in brackets. */
export function orderOf(value: Json): string {
  if (Array.isArray(value)) return [...new Set(value.map(orderOf))].join("|");
  if (value === null || typeof value !== "object") return "";
  return Object.entries(value)
    .map(([name, item]) => {
      const inner = orderOf(item);
      return inner === "" ? name : `${name}(${inner})`;
    })
    .join(",");
}
