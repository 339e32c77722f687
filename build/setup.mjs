// Brings a fresh clone to a working state on a machine that has only Node and npm: installs the pinned
// dependencies (Bun among them) when they are missing or older than the lock file, and checks that Bun runs.
import { execFileSync, spawnSync } from "node:child_process";
import { existsSync, statSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

const root = join(dirname(fileURLToPath(import.meta.url)), "..");
const marker = join(root, "node_modules", ".package-lock.json");
const lock = join(root, "package-lock.json");
const bun = join(root, "node_modules", ".bin", process.platform === "win32" ? "bun.cmd" : "bun");

function installed() {
  return (
    existsSync(marker) && existsSync(bun) && statSync(marker).mtimeMs >= statSync(lock).mtimeMs
  );
}

if (!installed()) {
  const npm = process.env.npm_execpath;
  const [command, lead] = npm ? [process.execPath, [npm]] : ["npm", []];
  const ci = existsSync(join(root, "node_modules")) ? "install" : "ci";
  execFileSync(command, [...lead, ci, "--no-audit", "--no-fund"], {
    cwd: root,
    stdio: ["ignore", 2, 2],
  });
}
let version = spawnSync(bun, ["--version"], { encoding: "utf8" });
if (version.status !== 0) {
  // Where npm did not run the package's own install step, run it now.
  spawnSync(process.execPath, ["install.js"], {
    cwd: join(root, "node_modules", "bun"),
    stdio: ["ignore", 2, 2],
  });
  version = spawnSync(bun, ["--version"], { encoding: "utf8" });
}
if (version.status !== 0) {
  console.error("setup: Bun did not start; remove node_modules and try again");
  process.exit(1);
}
