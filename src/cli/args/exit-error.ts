/** Ends a command with an exit code and, usually, one line on standard error. Caught at the edge, nowhere else. */
export class ExitError extends Error {
  override name = "ExitError";
  readonly code: number;
  /** False when everything was said already. */
  readonly shown: boolean;

  constructor(code: number, message: string | null) {
    super(message ?? "");
    this.code = code;
    this.shown = message !== null;
  }
}

/** etcdctl's exit codes. */
export const ExitCode = {
  success: 0,
  error: 1,
  badConnection: 2,
  invalidInput: 3,
  badFeature: 4,
  interrupted: 5,
  io: 6,
  badArguments: 128,
} as const;

/** The command's words or flags make no sense; nothing was done. */
export function badArguments(message: string): never {
  throw new ExitError(ExitCode.badArguments, message);
}
