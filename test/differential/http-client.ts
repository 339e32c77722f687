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
    const headers: JsonObject = {};
    for (const name of keptHeaders) {
      const value = answer.headers.get(name);
      if (value !== null) headers[name] = value;
    }
    return { status: answer.status, headers, body: (options.bodyOf ?? bodyOf)(text) };
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

/** JSON lines become their values, with a mark for the final newline; other text stays. */
function bodyOf(text: string): Json {
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

function orderOf(value: Json): string {
  if (Array.isArray(value)) return [...new Set(value.map(orderOf))].join("|");
  if (value === null || typeof value !== "object") return "";
  return Object.entries(value)
    .map(([name, item]) => {
      const inner = orderOf(item);
      return inner === "" ? name : `${name}(${inner})`;
    })
    .join(",");
}
