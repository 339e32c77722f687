/** The door of main.ts to etcdutl. */
import { BunDisk } from "../io/bun/index.ts";
import { processIo } from "./process-io.ts";
import { rawArguments } from "./raw-arguments.ts";
import { runUtility } from "./util/index.ts";

export function runUtilityProgram(args: readonly string[]): Promise<number> {
  return runUtility(rawArguments(args), process.env, processIo(), new BunDisk());
}
