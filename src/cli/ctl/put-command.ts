/** `put`: writes a key. The value comes from the command line or from standard input. */
import type { PutRequestInit } from "../../api/index.ts";
import {
  badArguments,
  boolFlag,
  type Command,
  type FlagSet,
  parseInt64,
  stringFlag,
} from "../args/index.ts";
import { bytesOfArgument, readInput } from "../output/index.ts";
import type { ControlContext } from "./context.ts";
import { withSession } from "./session.ts";

export const putCommand: Command<ControlContext> = {
  name: "put",
  usage: "[options] <key> <value> (<value> can also be given from stdin)",
  short: "Writes a key",
  long: [
    "Writes a key with a value.",
    "",
    "A <value> that begins with '-' looks like a flag; put '--' before it:",
    "",
    "$ put <key> -- <value>",
    "$ put -- <key> <value>",
    "",
    "Without <value> the value is read from standard input, unless --ignore-value is set:",
    "$ cat file | put <key>",
  ].join("\n"),
  flags: [
    stringFlag("lease", "lease (in hexadecimal) that the key shall live with", "0"),
    boolFlag("prev-kv", "also print what the key was before"),
    boolFlag("ignore-value", "keep the value that the key has"),
    boolFlag("ignore-lease", "keep the lease that the key has"),
  ],
  async run(context, flags) {
    const input = flags.words.length === 1 && !flags.flag("ignore-value");
    const value = input ? await readInput(context.io.stdin) : new Uint8Array(0);
    const request = putRequest(flags, value);
    await withSession(context, flags, async ({ client, printer, bounded }) => {
      const response = await client.kv.put(request, bounded);
      context.io.stdout.write(printer.put(response));
    });
  },
};

/** The request that words and flags mean; `input` is what standard input gave. */
export function putRequest(flags: FlagSet, input: Uint8Array): PutRequestInit {
  const { words } = flags;
  if (words.length === 0) {
    badArguments("put command needs 1 argument and input from stdin or 2 arguments");
  }
  const ignoreValue = flags.flag("ignore-value");
  if (ignoreValue && words.length > 1) {
    badArguments("put command needs only 1 argument when 'ignore-value' is set");
  }
  const given = words[1];
  const value = given === undefined ? input : bytesOfArgument(given);
  if (given === undefined && !ignoreValue && input.length === 0) {
    badArguments("put command needs 1 argument and input from stdin or 2 arguments");
  }
  const lease = parseInt64(flags.text("lease"), 16);
  if ("failure" in lease) badArguments(`bad lease ID (${lease.failure}), expecting ID in Hex`);
  return {
    key: bytesOfArgument(words[0]!),
    value,
    lease: (lease as { value: bigint }).value,
    prev_kv: flags.flag("prev-kv"),
    ignore_value: ignoreValue,
    ignore_lease: flags.flag("ignore-lease"),
  };
}
