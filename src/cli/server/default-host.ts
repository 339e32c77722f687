/** The address that other machines most likely reach this one by: of the interface with the default route. */
import { readFileSync } from "node:fs";
import { networkInterfaces } from "node:os";

const ROUTES = "/proc/net/route";
const TO_EVERYWHERE = "00000000";

export function defaultHost(): string | undefined {
  let lines: string[];
  try {
    lines = readFileSync(ROUTES, "utf8").split("\n");
  } catch {
    return undefined; // another system: the advertised URL stays what it was
  }
  const name = lines.map((line) => line.split(/\s+/)).find((row) => row[1] === TO_EVERYWHERE)?.[0];
  const addresses = networkInterfaces()[name ?? ""] ?? [];
  return addresses.find((address) => address.family === "IPv4")?.address;
}
