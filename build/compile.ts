/**
 * Compiles the one executable: dist/cairn with the names etcd, etcdctl and etcdutl beside it; with --all also for
 * the other platforms. Minified, with bytecode and source map; neither .env nor bunfig.toml of the directory it is
 * started in are read, and code is never generated from strings.
 */
import { existsSync, mkdirSync, rmSync, symlinkSync } from "node:fs";
import { join } from "node:path";
import { TARGETS } from "./targets.ts";

const root = join(import.meta.dir, "..");
const dist = join(root, "dist");
const ALIASES = ["etcd", "etcdctl", "etcdutl"];

function compile(outfile: string, target: string | null): void {
  const args = [
    "build",
    join(root, "src", "cli", "main.ts"),
    "--compile",
    "--minify",
    "--sourcemap",
    "--bytecode",
    "--format=esm",
    "--no-compile-autoload-dotenv",
    "--no-compile-autoload-bunfig",
    "--define",
    "process.env.NODE_ENV='\"production\"'",
    "--compile-exec-argv=--disallow-code-generation-from-strings=strict",
    `--outfile=${outfile}`,
  ];
  if (target !== null) args.push(`--target=${target}`);
  const run = Bun.spawnSync([process.execPath, ...args], { cwd: root, stdio: ["ignore", 2, 2] });
  if (run.exitCode !== 0) {
    console.error(`build: compiling ${outfile} failed`);
    process.exit(1);
  }
}

function link(name: string): void {
  const path = join(dist, name);
  if (existsSync(path)) rmSync(path);
  symlinkSync("cairn", path);
}

mkdirSync(dist, { recursive: true });
compile(join(dist, "cairn"), null);
for (const name of ALIASES) link(name);
if (process.argv.includes("--all")) {
  for (const target of TARGETS) compile(join(dist, target.file), target.name);
}
console.error(`build: ${join("dist", "cairn")} is ready`);
