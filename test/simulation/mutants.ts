// Puts each incident of incidents.ts into a copy of the tree and runs the simulator there until it finds it.
//   bun test/simulation/mutants.ts [--guards] [--only 3] [--seeds 2000] [--seed 1]
// Prints a table; ends with 1 when one was not found, or an edit no longer fits the code.

import { cpSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { guards } from "./guards.ts";
import { type Edit, type Incident, incidents } from "./incidents.ts";

const RUN_SECONDS_MAX = 900;
const FOUND = /^seed (\d+): ([\w-]+): (.*)$/m;

const { values } = parseArgs({
  options: {
    only: { type: "string" },
    seeds: { type: "string", default: "2000" },
    seed: { type: "string", default: "1" },
    /** Not the incidents, but guards of cairn's own. */
    guards: { type: "boolean", default: false },
    /** One kind of run only. */
    focus: { type: "string" },
  },
});

function copyOfTree(): string {
  const root = join(import.meta.dir, "../..");
  const directory = mkdtempSync(join(tmpdir(), "simulation-mutants-"));
  for (const name of ["src", "test/simulation", "test/disk", "bunfig.toml", "package.json"]) {
    cpSync(join(root, name), join(directory, name), { recursive: true });
  }
  cpSync(join(root, "test/setup.ts"), join(directory, "test/setup.ts"));
  symlinkSync(join(root, "node_modules"), join(directory, "node_modules"));
  return directory;
}

/** Makes the edits; what the files were before, or the edit that does not fit. */
function apply(directory: string, edits: readonly Edit[]): Map<string, string> | Edit {
  const before = new Map<string, string>();
  for (const edit of edits) {
    const path = join(directory, "src", edit.file);
    const text = readFileSync(path, "utf8");
    if (text.split(edit.from).length !== 2) {
      restore(before);
      return edit;
    }
    if (!before.has(path)) before.set(path, text);
    writeFileSync(
      path,
      text.replace(edit.from, () => edit.to),
    );
  }
  return before;
}

function restore(files: ReadonlyMap<string, string>): void {
  for (const [path, text] of files) writeFileSync(path, text);
}

function simulate(directory: string, seeds: string, seed: string): string {
  const run = Bun.spawnSync(
    [
      ...["timeout", `${RUN_SECONDS_MAX}`, process.execPath, "test/simulation/main.ts"],
      ...["--seeds", seeds, "--seed", seed, "--lines", "0"],
      ...(values.focus === undefined ? [] : ["--focus", values.focus]),
    ],
    { cwd: directory },
  );
  return run.stdout.toString() + run.stderr.toString();
}

/** A row of the table, and whether the incident was found. */
function hunt(directory: string, incident: Incident): boolean {
  const before = apply(directory, incident.edits);
  if (!(before instanceof Map)) {
    console.log(
      `| ${incident.number} | ${incident.name} | **no longer fits ${before.file}: ${before.from}** |`,
    );
    return false;
  }
  const startMs = performance.now();
  const output = simulate(directory, values.seeds, values.seed);
  restore(before);
  const seconds = ((performance.now() - startMs) / 1000).toFixed(0);
  const found = FOUND.exec(output);
  const at = found === null ? "**not found**" : `seed ${found[1]}`;
  const by = found === null ? output.trim().split("\n").at(-1)!.slice(0, 200) : `${found[2]}`;
  const text = found?.[3]?.slice(0, 140) ?? "";
  if (found !== null && FOUND.test(simulate(directory, "1", found[1]!))) {
    console.log(
      `| ${incident.number} | ${incident.name} | ${at} | **is found without it, too: ${by}** |`,
    );
    return false;
  }
  console.log(`| ${incident.number} | ${incident.name} | ${at} | ${by} | ${seconds} s | ${text} |`);
  return found !== null;
}

function main(): void {
  const directory = copyOfTree();
  const clean = simulate(directory, "3", values.seed);
  if (!clean.includes(" 0 violations")) {
    console.log(`the tree itself does not run:\n${clean}`);
    process.exitCode = 2;
    return;
  }
  let survivors = 0;
  for (const incident of values.guards ? guards : incidents) {
    if (values.only !== undefined && !values.only.split(",").includes(`${incident.number}`))
      continue;
    if (!hunt(directory, incident)) survivors++;
  }
  rmSync(directory, { recursive: true });
  process.exitCode = survivors === 0 ? 0 : 1;
}

main();
