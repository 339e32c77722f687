import { ExitCode, ExitError } from "../../args/index.ts";

/** Ends a command whose result the chosen format cannot show. */
export function unsupported(format: string): never {
  throw new ExitError(ExitCode.badFeature, `${format} not supported as output format`);
}
