// All tests that draw random input, and how each is made to run longer than in a normal test run. Their
// seeds are new in every process and printed when they fail.

export interface Fuzzer {
  /** What `--only` takes. */
  readonly name: string;
  readonly about: string;
  readonly file: string;
  /** Raises the number of runs; higher with each round. */
  readonly environment?: (round: number) => Readonly<Record<string, string>>;
}

const times = (variable: string, runs: number) => (round: number) => ({
  [variable]: String(runs * Math.min(round, 10)),
});

export const fuzzers: readonly Fuzzer[] = [
  {
    name: "http2",
    about: "foreign bytes against the HTTP/2 and gRPC layers",
    file: "src/http/fuzz.test.ts",
    environment: times("CAIRN_FUZZ_RUNS", 2000),
  },
  { name: "hpack", about: "header compression", file: "src/http/http2/hpack.test.ts" },
  {
    name: "flow",
    about: "flow control of connections and streams",
    file: "src/http/http2/connection-flow.test.ts",
  },
  {
    name: "json",
    about: "bodies of the JSON gateway",
    file: "src/http/json/gateway.fuzz.test.ts",
  },
  {
    name: "json-messages",
    about: "messages in their JSON form and back",
    file: "src/api/json/json-messages.test.ts",
  },
  {
    name: "protobuf",
    about: "message codecs against protobufjs and against foreign bytes",
    file: "src/api/protobuf/codec.test.ts",
  },
  { name: "cbor", about: "the one wrapper of CBOR", file: "src/base/cbor.test.ts" },
  { name: "wal-damage", about: "damaged log segments", file: "src/wal/damage.test.ts" },
  {
    name: "wal-crash",
    about: "crashes at every write of the log",
    file: "src/wal/crash.test.ts",
    environment: times("CAIRN_WAL_CRASH_SEEDS", 1000),
  },
  {
    name: "bbolt-damage",
    about: "damaged pages",
    file: "src/bbolt/damage.test.ts",
    environment: times("CAIRN_FUZZ_RUNS", 2000),
  },
  {
    name: "bbolt-model",
    about: "the tree against sorted maps",
    file: "src/bbolt/tree-file.model.test.ts",
    environment: times("CAIRN_MODEL_RUNS", 200),
  },
  {
    name: "replaced-state",
    about: "a running store that a received snapshot replaces",
    file: "src/server/replace-state.test.ts",
    environment: times("CAIRN_MODEL_RUNS", 200),
  },
  {
    name: "snapshot-crash",
    about: "crashes at every write of two received snapshots",
    file: "src/server/replace-state.crash.test.ts",
    environment: times("CAIRN_SNAPSHOT_CRASH_SEEDS", 10),
  },
  { name: "freelist", about: "free pages against a set", file: "src/bbolt/freelist.test.ts" },
  {
    name: "store",
    about: "the store with crashes against a model",
    file: "src/mvcc/store.test.ts",
  },
  {
    name: "key-index",
    about: "the key index against a model",
    file: "src/mvcc/key-index/key-index.test.ts",
  },
  {
    name: "watch",
    about: "watchers against the history they must see",
    file: "src/mvcc/watch/watch-hub.property.test.ts",
    environment: times("CAIRN_WATCH_RUNS", 2000),
  },
  {
    name: "commands",
    about: "commands of the log, encoded and back",
    file: "src/state-machine/command-codec.test.ts",
  },
  { name: "lessor", about: "leases against a model", file: "src/lease/lessor.test.ts" },
  {
    name: "differential",
    about: "random requests against the real etcd and cairn",
    file: "test/differential/random.test.ts",
    environment: times("CAIRN_DIFFERENTIAL_STEPS", 3000),
  },
  {
    name: "kill",
    about: "load and kill -9",
    file: "test/e2e/kill-loop.test.ts",
    environment: times("CAIRN_KILL_ROUNDS", 20),
  },
];
