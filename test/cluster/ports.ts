// Free ports below the range that the kernel gives to outgoing connections, so that a member that is started again
// finds its port free.

import { createServer } from "node:net";

const portMin = 15_000;
const portCount = 17_000;
const attemptsMax = 200;
const given = new Set<number>();

/** Not given before by this process, and free a moment ago. */
export async function freeLowPort(): Promise<number> {
  for (let attempt = 0; attempt < attemptsMax; attempt++) {
    const port = portMin + Math.floor(Math.random() * portCount);
    if (given.has(port) || !(await isFree(port))) continue;
    given.add(port);
    return port;
  }
  throw new Error("no free port found");
}

export async function freePortPair(): Promise<[number, number]> {
  return [await freeLowPort(), await freeLowPort()];
}

/** For a long run that starts clusters again and again. */
export function releasePort(port: number): void {
  given.delete(port);
}

function isFree(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const server = createServer();
    server.once("error", () => resolve(false));
    server.listen(port, "127.0.0.1", () => server.close(() => resolve(true)));
  });
}
