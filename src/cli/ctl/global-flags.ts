/** The flags of every etcdctl command, with etcd's names and defaults. */
import { boolFlag, durationFlag, type FlagSpec, int64Flag, stringFlag } from "../args/index.ts";

export const OUTPUT_FORMATS = "fields, json, protobuf, simple, table";

export const GLOBAL_FLAGS: readonly FlagSpec[] = (
  [
    {
      name: "endpoints",
      kind: "list",
      default: "127.0.0.1:2379",
      usage: "members to speak with, comma separated",
    },
    boolFlag("debug", "say on standard error what the client does"),
    {
      name: "write-out",
      shorthand: "w",
      kind: "string",
      default: "simple",
      usage: `how to print results (${OUTPUT_FORMATS})`,
    },
    boolFlag("hex", "print keys and values in hexadecimal"),
    durationFlag("dial-timeout", "how long one attempt to connect may take", "2s"),
    durationFlag("command-timeout", "how long a short command may take, without connecting", "5s"),
    durationFlag("keepalive-time", "pause between pings of a connection in use", "2s"),
    durationFlag("keepalive-timeout", "how long the answer to a ping may take", "6s"),
    {
      ...boolFlag("insecure-transport", "speak without TLS unless an endpoint asks for it"),
      default: "true",
    },
    {
      ...boolFlag("insecure-discovery", "accept DNS records of members without TLS"),
      default: "true",
    },
    boolFlag("insecure-skip-tls-verify", "accept any server certificate (for tests only)"),
    int64Flag("max-request-bytes", "largest request to send (0: 2 MiB)"),
    int64Flag("max-recv-bytes", "largest answer to take (0: 2 GiB)"),
    stringFlag("auth-jwt-token", "token to send instead of logging in"),
    stringFlag("cert", "file with the client's TLS certificate"),
    stringFlag("key", "file with the key of the client's certificate"),
    stringFlag("cacert", "file with the certificates that servers must be signed by"),
    stringFlag("user", "name[:password] to log in with (asks for a missing password)"),
    stringFlag("password", "password to log in with; --user is then the name alone"),
    { ...stringFlag("discovery-srv", "domain whose DNS records name the members"), shorthand: "d" },
    stringFlag("discovery-srv-name", "service name inside that domain"),
  ] as FlagSpec[]
).map((flag) => ({ ...flag, persistent: true }));
