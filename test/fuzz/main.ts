// Runs the fuzzers for as long as asked, one after the other and again with higher numbers:
//
//   bun test/fuzz/main.ts [--seconds 60] [--only http2,hpack] [--list]
//
// Ends with 1 at the first failure, after printing that run's output, which names the seed.

import { parseArgs } from "node:util";
import { repositoryDirectory } from "../reference.ts";
import { type Fuzzer, fuzzers } from "./fuzzers.ts";

const graceMilliseconds = 120_000;

interface Run {
  readonly failed: boolean;
  readonly output: string;
  readonly seconds: number;
}

async function runOnce(fuzzer: Fuzzer, round: number): Promise<Run> {
  const started = performance.now();
  const child = Bun.spawn({
    cmd: [process.execPath, "test", "--timeout", String(graceMilliseconds), fuzzer.file],
    cwd: repositoryDirectory,
    env: { ...process.env, ...(fuzzer.environment?.(round) ?? {}) },
    stdin: "ignore",
    stdout: "pipe",
    stderr: "pipe",
  });
  const texts = [new Response(child.stdout).text(), new Response(child.stderr).text()];
  const output = (await Promise.all(texts)).join("");
  const failed = (await child.exited) !== 0;
  return { failed, output, seconds: (performance.now() - started) / 1000 };
}

function chosen(only: string | undefined): readonly Fuzzer[] {
  if (only === undefined) return fuzzers;
  const names = only.split(",");
  const unknown = names.filter((name) => !fuzzers.some((fuzzer) => fuzzer.name === name));
  if (unknown.length > 0) throw new Error(`no fuzzer ${unknown.join(", ")}; --list names them`);
  return fuzzers.filter((fuzzer) => names.includes(fuzzer.name));
}

async function main(): Promise<number> {
  const { values } = parseArgs({
    options: {
      seconds: { type: "string", default: "60" },
      only: { type: "string" },
      list: { type: "boolean", default: false },
    },
  });
  const picked = chosen(values.only);
  if (values.list) {
    for (const { name, about, file } of picked) console.log(`${name}: ${about} (${file})`);
    return 0;
  }
  const deadline = performance.now() + Number(values.seconds) * 1000;
  for (let round = 1; ; round++) {
    for (const fuzzer of picked) {
      if (performance.now() >= deadline) return 0;
      const { failed, output, seconds } = await runOnce(fuzzer, round);
      console.log(
        `${failed ? "FAIL" : "ok  "} ${fuzzer.name} round ${round}, ${seconds.toFixed(1)} s`,
      );
      if (failed) {
        console.log(output);
        return 1;
      }
    }
  }
}

process.exit(await main());
