/** A line of a transaction's other parts: put, get or del with the same words and flags as the commands. */
import type { RequestOpInit } from "../../api/index.ts";
import { type Command, cobraHelp, FlagSet, findCommand, localFlags } from "../args/index.ts";
import type { CommandIo } from "../output/index.ts";
import type { ControlContext } from "./context.ts";
import { delCommand, delRequest } from "./del-command.ts";
import { getCommand, getRequest } from "./get-command.ts";
import { putCommand, putRequest } from "./put-command.ts";
import { splitWords } from "./split-words.ts";

const NO_INPUT = new Uint8Array(0);

/** Understands no command but these three, and none of the global flags. */
const ROOT: Command<ControlContext> = {
  name: "",
  short: "",
  commands: [putCommand, getCommand, delCommand],
};

export function parseOperation(
  line: string,
  io: CommandIo,
): { operation: RequestOpInit } | { failure: string } {
  const words = splitWords(line);
  if (words === null) return { failure: "invalid syntax" };
  if (words.length < 2) return { failure: `invalid txn compare request: ${line}` };
  const refused = { failure: `invalid txn request: ${line}` };
  const found = findCommand(ROOT, words);
  const command = found.path[1];
  if (found.failure !== null || command === undefined) return refused;
  const flags = new FlagSet(localFlags(found.path));
  if (flags.parse(found.args) !== null || flags.flag("help")) {
    io.stderr.write(`${cobraHelp(found.path)}\n`);
    return refused;
  }
  switch (command) {
    case putCommand:
      return { operation: { request_put: putRequest(flags, NO_INPUT) } };
    case getCommand:
      return { operation: { request_range: getRequest(flags) } };
    default:
      return { operation: { request_delete_range: delRequest(flags, io) } };
  }
}
