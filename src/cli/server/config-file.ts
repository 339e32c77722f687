/**
 * --config-file: YAML, or JSON, which is YAML too. Keys are flag names (in any case), with values of their own types:
 * durations are nanoseconds as integers, URL lists one string with commas. TLS settings are nested, as in etcd. Keys
 * that nobody knows are skipped without a word; a value of another type is refused in the words of Go's decoder.
 */
import { readFileSync } from "node:fs";
import { goTypeProblem, kindOf, wireText } from "./config-file-value.ts";
import { ConfigProblem } from "./config-problem.ts";
import { fileErrorText } from "./file-error-text.ts";
import { GATE_FLAGS, RENAMED } from "./flag-aliases.ts";
import type { FlagRow } from "./flag-row.ts";
import { FLAGS } from "./flag-table.ts";
import { type GivenFlags, noGivenFlags } from "./given-flags.ts";
import { flagOf, setFlag } from "./set-flag.ts";

const TLS_KEYS: readonly (readonly [string, string])[] = [
  ["cert-file", "cert-file"],
  ["key-file", "key-file"],
  ["client-cert-file", "client-cert-file"],
  ["client-key-file", "client-key-file"],
  ["client-cert-auth", "client-cert-auth"],
  ["trusted-ca-file", "trusted-ca-file"],
  ["auto-tls", "auto-tls"],
];

/** Sections by their key: the names in them, and the flags they set. */
const SECTIONS: ReadonlyMap<string, Section> = new Map([
  [
    "client-transport-security",
    {
      type: "embed.securityConfig",
      path: "configYAML.configJSON",
      inner: "securityConfig.configJSON",
      keys: new Map([...TLS_KEYS, ["allowed-hostname", "client-cert-allowed-hostname"]]),
    },
  ],
  [
    "peer-transport-security",
    {
      type: "embed.securityConfig",
      path: "configYAML.configJSON",
      inner: "securityConfig.configJSON",
      keys: new Map<string, string>([
        ...TLS_KEYS.map(([key, flag]) => [key, `peer-${flag}`] as const),
        ["allowed-cn", "peer-cert-allowed-cn"],
        ["allowed-hostname", "peer-cert-allowed-hostname"],
        ["skip-client-san-verification", "peer-skip-client-san-verification"],
      ]),
    },
  ],
  [
    "socket-options",
    {
      type: "transport.SocketOpts",
      path: "configYAML.Config",
      inner: "SocketOpts.Config",
      keys: new Map([
        ["reuse-port", "socket-reuse-port"],
        ["reuse-address", "socket-reuse-address"],
      ]),
    },
  ],
  [
    "discovery-config",
    {
      type: "v3discovery.DiscoveryConfig",
      path: "configYAML.Config",
      inner: "DiscoveryConfig.Config",
      keys: new Map([["token", "discovery-token"]]),
    },
  ],
]);

interface Section {
  /** Go's names, for messages. */
  readonly type: string;
  readonly path: string;
  readonly inner: string;
  readonly keys: ReadonlyMap<string, string>;
}

/** Flags that are not keys: set in sections, or of the command line alone. */
const NO_KEYS: ReadonlySet<string> = new Set([
  "config-file",
  "version",
  "client-crl-file",
  "peer-crl-file",
  ...[...SECTIONS.values()].flatMap((section) => [...section.keys.values()]),
]);
const OTHER_NAMES: ReadonlyMap<string, string> = new Map([
  ["experimental-snapshot-catch-up-entries", "snapshot-catchup-entries"],
]);

export function readConfigFile(path: string): GivenFlags | ConfigProblem {
  let bytes: string;
  try {
    bytes = readFileSync(path, "utf8");
  } catch (error) {
    return new ConfigProblem("verify", fileErrorText("open", path, error));
  }
  let document: unknown;
  try {
    document = Bun.YAML.parse(bytes) ?? {};
  } catch (error) {
    const text = (error as Error).message;
    return new ConfigProblem("verify", `error converting YAML to JSON: yaml: ${text}`);
  }
  const given = noGivenFlags();
  given.configFile = path;
  if (typeof document !== "object" || document === null || Array.isArray(document)) {
    return wrongType(`${kindOf(document)} into Go value of type embed.configYAML`);
  }
  return readKeys(given, document as Record<string, unknown>) ?? given;
}

/** In the order of the keys, as Go sees them after its own conversion. */
function readKeys(given: GivenFlags, document: Record<string, unknown>): ConfigProblem | null {
  for (const key of Object.keys(document).sort()) {
    const value = document[key];
    if (value === null || value === undefined) continue;
    const name = key.toLowerCase();
    const section = SECTIONS.get(name);
    const problem =
      section === undefined
        ? readKey(given, OTHER_NAMES.get(name) ?? name, name, value)
        : readSection(given, name, section, value);
    if (problem !== null) return problem;
  }
  return null;
}

function readKey(
  given: GivenFlags,
  name: string,
  key: string,
  value: unknown,
): ConfigProblem | null {
  const flag = flagOf(name);
  if (flag === undefined || NO_KEYS.has(flag.name)) return null;
  const holder = isTextList(flag) ? "configJSON" : "Config";
  return readTyped(given, flag, name, `configYAML.${holder}.${key}`, value);
}

function readSection(
  given: GivenFlags,
  key: string,
  section: Section,
  value: unknown,
): ConfigProblem | null {
  if (typeof value !== "object" || value === null || Array.isArray(value)) {
    const where = `${section.path}.${key} of type ${section.type}`;
    return wrongType(`${kindOf(value)} into Go struct field ${where}`);
  }
  for (const inner of Object.keys(value).sort()) {
    const name = section.keys.get(inner.toLowerCase());
    const item = (value as Record<string, unknown>)[inner];
    if (name === undefined || item === null || item === undefined) continue;
    const flag = FLAGS.get(name)!;
    const problem = readTyped(given, flag, name, `${section.inner}.${key}.${inner}`, item);
    if (problem !== null) return problem;
  }
  return null;
}

function readTyped(
  given: GivenFlags,
  flag: FlagRow,
  name: string,
  where: string,
  value: unknown,
): ConfigProblem | null {
  const mistyped = goTypeProblem(flag, value, where);
  if (mistyped !== null) return wrongType(mistyped);
  const failure = setFlag(
    given,
    GATE_FLAGS.has(name) ? name : renamedOf(name),
    wireText(flag, value),
  );
  if (failure === null) return null;
  if (isTextList(flag)) {
    return new ConfigProblem("plain", `unexpected error setting up ${name}: ${failure}`);
  }
  const text = String(value);
  if (name === "initial-cluster-state") {
    return new ConfigProblem("verify", `unexpected clusterState ${JSON.stringify(text)}`);
  }
  return new ConfigProblem(
    "verify",
    `invalid value ${JSON.stringify(text)} for ${name}: ${failure}`,
  );
}

function renamedOf(name: string): string {
  return RENAMED.get(name) ?? name;
}

/** Lists that the file holds as one string with commas. */
function isTextList(flag: FlagRow): boolean {
  return flag.kind === "urls" || flag.kind === "origins" || flag.name === "host-whitelist";
}

function wrongType(what: string): ConfigProblem {
  return new ConfigProblem(
    "verify",
    `error unmarshaling JSON: while decoding JSON: json: cannot unmarshal ${what}`,
  );
}
