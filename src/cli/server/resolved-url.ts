import { lookup } from "node:dns/promises";
import { parseFlagUrl } from "./urls.ts";

/** The URL with its host as an address; localhost stays, as the same name on both sides mostly is. */
export async function resolvedUrl(text: string): Promise<string> {
  const url = parseFlagUrl(text);
  if ("failure" in url || url.host === "" || url.host === "localhost") return text;
  try {
    const { address } = await lookup(url.host, { family: 4 });
    return `${url.scheme}://${address}:${url.port}`;
  } catch {
    return text; // a name that nobody knows equals only itself
  }
}
