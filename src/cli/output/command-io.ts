/** What a command reads and writes. Node's process satisfies it; tests give memory. */
export interface CommandIo {
  readonly stdin: CommandInput;
  readonly stdout: CommandOutput;
  readonly stderr: CommandOutput;
}

export interface CommandOutput {
  write(data: string | Uint8Array): unknown;
}

export interface CommandInput extends AsyncIterable<Uint8Array | string> {
  readonly isTTY?: boolean;
}

/** The process environment. */
export type Environment = Readonly<Record<string, string | undefined>>;
