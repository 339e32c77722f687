// A program that is run to its end, with what it wrote. Used wherever a test asks a command or a server that ends.
//
// Invariant: it gets no more of this process's environment than the path, and is ended when it takes too long.

export interface Ended {
  readonly code: number;
  readonly signal: number | string | null;
  readonly stdout: string;
  readonly stderr: string;
}

export interface ProgramOptions {
  readonly cmd: readonly string[];
  readonly cwd?: string;
  readonly environment?: Readonly<Record<string, string>>;
  readonly limitMs: number;
}

export async function runProgram(options: ProgramOptions): Promise<Ended> {
  const { cmd, cwd, environment, limitMs } = options;
  const child = Bun.spawn({
    cmd: [...cmd],
    ...(cwd === undefined ? {} : { cwd }),
    env: { PATH: process.env.PATH ?? "", ...environment },
    stdin: "ignore",
    stdout: "pipe",
    stderr: "pipe",
    timeout: limitMs,
    killSignal: "SIGKILL",
  });
  const [stdout, stderr] = await Promise.all([
    new Response(child.stdout).text(),
    new Response(child.stderr).text(),
  ]);
  await child.exited;
  return { code: child.exitCode ?? -1, signal: child.signalCode, stdout, stderr };
}
