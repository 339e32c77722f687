/**
 * Who listens on all addresses and leaves the advertised URL alone advertises the host of the default route: the
 * default, localhost, would be of no use to anybody else.
 */
import type { FlagValue } from "./flag-values.ts";
import type { GivenFlags } from "./given-flags.ts";
import { parseFlagUrl } from "./urls.ts";

/** The address of the interface that the default route leaves by; undefined where that cannot be told. */
export type DefaultHost = () => string | undefined;

const DEFAULTS: readonly (readonly [string, string, string])[] = [
  ["listen-peer-urls", "initial-advertise-peer-urls", "http://localhost:2380"],
  ["listen-client-urls", "advertise-client-urls", "http://localhost:2379"],
];

export function adoptDefaultHost(
  values: Record<string, FlagValue>,
  given: GivenFlags,
  defaultHost: DefaultHost,
): void {
  let told = false;
  for (const [listen, advertise, untouched] of DEFAULTS) {
    const urls = values[listen] as readonly string[];
    const first = urls[0] === undefined ? null : parseFlagUrl(urls[0]);
    if (first === null || "failure" in first || first.host !== "0.0.0.0") continue;
    if ((values[advertise] as readonly string[]).join() !== untouched) continue;
    const host = defaultHost();
    if (host === undefined) return;
    values[advertise] = [`http://${host}:${first.port}`];
    if (!told) {
      const message = "detected default host for advertise";
      given.notices.push({ level: "info", message, fields: { host } });
    }
    told = true;
  }
}
