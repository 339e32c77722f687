/** The door of main.ts to etcdctl: this process's environment and streams. */
import { runControl } from "./ctl/index.ts";
import { processIo } from "./process-io.ts";
import { rawArguments } from "./raw-arguments.ts";

export function runControlProgram(args: readonly string[]): Promise<number> {
  return runControl(rawArguments(args), process.env, processIo());
}
