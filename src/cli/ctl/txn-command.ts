/** `txn`: reads comparisons and two lists of operations from standard input and runs them as one. */
import type { CompareInit, RequestOpInit, TxnRequestInit } from "../../api/index.ts";
import { badArguments, boolFlag, type Command, ExitCode, ExitError } from "../args/index.ts";
import { type CommandIo, InputLines } from "../output/index.ts";
import type { ControlContext } from "./context.ts";
import { withSession } from "./session.ts";
import { parseCompare } from "./txn-compare.ts";
import { parseOperation } from "./txn-operation.ts";

export const txnCommand: Command<ControlContext> = {
  name: "txn",
  usage: "[options]",
  short: "Runs many requests as one transaction",
  flags: [{ ...boolFlag("interactive", "say what is to be entered next"), shorthand: "i" }],
  async run(context, flags) {
    if (flags.words.length > 0) {
      badArguments("txn command does not accept argument");
    }
    const request = await readTransaction(context.io, flags.flag("interactive"));
    await withSession(context, flags, async ({ client, printer }) => {
      const response = await client.kv.txn(request);
      context.io.stdout.write(printer.txn(response));
    });
  },
};

async function readTransaction(io: CommandIo, interactive: boolean): Promise<TxnRequestInit> {
  const lines = new InputLines(io.stdin);
  const prompt = (text: string) => {
    if (interactive) io.stdout.write(`${text}\n`);
  };
  prompt("compares:");
  const compare: CompareInit[] = [];
  for await (const line of section(lines)) {
    const parsed = parseCompare(line);
    if ("failure" in parsed) return refuse(parsed.failure);
    compare.push(parsed.compare);
  }
  prompt("success requests (get, put, del):");
  const success = await readOperations(lines, io);
  prompt("failure requests (get, put, del):");
  const failure = await readOperations(lines, io);
  return { compare, success, failure };
}

async function readOperations(lines: InputLines, io: CommandIo): Promise<RequestOpInit[]> {
  const operations: RequestOpInit[] = [];
  for await (const line of section(lines)) {
    const parsed = parseOperation(line, io);
    if ("failure" in parsed) return refuse(parsed.failure);
    operations.push(parsed.operation);
  }
  return operations;
}

/** Lines up to an empty one; the end of the input before that is an error. */
async function* section(lines: InputLines): AsyncGenerator<string, void, void> {
  for (;;) {
    const line = await lines.next();
    if (line === null) refuse("EOF");
    const trimmed = (line as string).trim();
    if (trimmed === "") return;
    yield trimmed;
  }
}

function refuse(message: string): never {
  throw new ExitError(ExitCode.invalidInput, message);
}
