/**
 * Whether every listening address is free, asked before the data directory is touched: a port in use must not leave
 * a member behind whose first settings then hold for ever.
 */
import { createServer } from "node:net";
import { ConfigProblem } from "./config-problem.ts";
import { parseFlagUrl } from "./urls.ts";

export async function checkBinds(urls: readonly string[]): Promise<ConfigProblem | null> {
  for (const text of urls) {
    const url = parseFlagUrl(text);
    if ("failure" in url || url.scheme.startsWith("unix")) continue;
    const host = url.host === "localhost" ? "127.0.0.1" : url.host;
    const failure = await tryBind(host, Number(url.port));
    if (failure !== null) return new ConfigProblem("start", failure);
  }
  return null;
}

const REASONS: Readonly<Record<string, string>> = {
  EADDRINUSE: "address already in use",
  EADDRNOTAVAIL: "cannot assign requested address",
  EACCES: "permission denied",
};

function tryBind(host: string, port: number): Promise<string | null> {
  const server = createServer();
  return new Promise((resolve) => {
    server.once("error", (error: NodeJS.ErrnoException) => {
      const where = host.includes(":") ? `[${host}]:${port}` : `${host}:${port}`;
      resolve(`listen tcp ${where}: bind: ${REASONS[error.code ?? ""] ?? error.message}`);
    });
    server.listen({ host, port }, () => server.close(() => resolve(null)));
  });
}
