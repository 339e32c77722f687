// Who may import whom: the layers of src as a table. Imports run downward only, and one folder sees
// another through its door, index.ts.

/** How an import may be used. */
export type Use = "values" | "types";

export interface Layer {
  /** Other folders of src. `base` is open to all. */
  readonly folders: Readonly<Record<string, Use>>;
  /** Packages from outside. */
  readonly packages: readonly string[];
}

function layer(folders: string[], packages: string[] = [], types: string[] = []): Layer {
  const uses: Record<string, Use> = {};
  for (const folder of folders) uses[folder] = "values";
  for (const folder of types) uses[folder] = "types";
  return { folders: uses, packages };
}

const replicated = ["database", "api"];
const state = ["mvcc", "lease", "auth", "cluster", ...replicated];

export const layers: Readonly<Record<string, Layer>> = {
  base: layer([], ["cbor-x/encode", "cbor-x/decode"]),
  io: layer([]),
  api: layer([], ["zod"]),
  raft: layer([]),
  wal: layer(["io"], [], ["raft"]),
  bbolt: layer(["io"]),
  database: layer(["bbolt", "io"]),
  mvcc: layer(replicated),
  lease: layer(replicated),
  auth: layer(replicated),
  cluster: layer(replicated, [], ["io"]),
  "state-machine": layer(state, [], ["raft"]),
  peer: layer(["io", "raft", "tls"]),
  server: layer(["io", "raft", "wal", "bbolt", "state-machine", "peer", ...state], ["zod"]),
  http: layer(["api", "io"], ["hono"], ["tls"]),
  client: layer(["api", "io"]),
  tls: layer(["api", "io"]),
  cli: layer(
    [
      ...["io", "raft", "wal", "bbolt", "state-machine", "peer"],
      ...state,
      "server",
      "http",
      "client",
      "tls",
    ],
    ["hono", "zod", "pino"],
  ),
};

/** Folders whose files are imported one by one: they are collections without a door. */
export const openFolders: ReadonlySet<string> = new Set(["base"]);

/** Doors inside a folder that others may use besides its index.ts. */
export const innerDoors: ReadonlySet<string> = new Set([
  "src/io/bun/index.ts",
  "src/api/json/index.ts",
  "src/mvcc/watch/index.ts",
]);

export interface Exception {
  readonly path: RegExp;
  readonly imports: RegExp;
  readonly reason: string;
}

/** What the table does not allow and is right all the same. */
export const exceptions: readonly Exception[] = [
  {
    path: /^src\/io\/bun\//,
    imports: /^(bun|bun:.*|node:.*|pino)$/,
    reason: "the one place that touches the platform",
  },
  {
    path: /^src\/cli\//,
    imports: /^(bun|bun:.*|node:.*)$/,
    reason: "composition roots read flags, files and terminals",
  },
  {
    path: /^src\/http\/listener[\w-]*\.ts$/,
    imports: /^node:(net|tls|http|fs|zlib)$/,
    reason: "the listener peeks at sockets, hands them to HTTP/1.1 and replaces stale unix sockets",
  },
  {
    path: /^src\/http\/listener\.ts$/,
    imports: /^\.\.\/tls\/index\.ts$/,
    reason: "the one place where sockets and certificates meet",
  },
  {
    path: /^src\/tls\//,
    imports: /^node:(tls|crypto|net|fs|dns\/promises)$/,
    reason:
      "certificates are read, read again when they change, and compared with where they come from",
  },
  {
    path: /^src\/peer\/dial\.ts$/,
    imports: /^node:(net|tls)$/,
    reason:
      "members open connections to each other; everything else of peer/ sees a small socket port",
  },
  {
    path: /^src\/client\//,
    imports: /^node:(net|tls|http|http2|crypto)$/,
    reason: "the client library opens its own connections",
  },
];

/** Folders that act on their arguments alone. */
export const pureFolders: readonly string[] = ["raft", "state-machine", "mvcc", "wal", "bbolt"];

/** Files of pure folders that do touch disk or clock, through ports. */
export const shellFiles: readonly { readonly path: RegExp; readonly reason: string }[] = [];
