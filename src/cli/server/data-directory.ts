/** The data directory before anything is in it: made, writable, and what is odd about it said in the log. */
import { mkdirSync, readdirSync, rmSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { Logger } from "../../io/index.ts";
import { ConfigProblem } from "./config-problem.ts";
import { fileErrorText } from "./file-error-text.ts";

const PRIVATE_MODE = 0o700;
const PERMISSION_BITS = 0o777;
const EXPECTED = new Set(["member", "proxy", "fixtures"]);

export function prepareDataDirectory(path: string, log: Logger): ConfigProblem | null {
  const before = statSync(path, { throwIfNoEntry: false });
  try {
    if (before === undefined) mkdirSync(path, { recursive: true, mode: PRIVATE_MODE });
    else warnOfOddities(path, before.mode, log);
  } catch (error) {
    return refusal(fileErrorText("mkdir", path, error));
  }
  const probe = join(path, ".touch");
  try {
    writeFileSync(probe, "");
    rmSync(probe);
  } catch (error) {
    return refusal(fileErrorText("open", probe, error));
  }
  return null;
}

function refusal(why: string): ConfigProblem {
  return new ConfigProblem("start", `cannot access data directory: ${why}`);
}

function warnOfOddities(path: string, mode: number, log: Logger): void {
  for (const name of readdirSync(path).sort()) {
    if (EXPECTED.has(name)) continue;
    const fields = { filename: name, "data-dir": path };
    log.warn("found invalid file under data directory", fields);
  }
  if (process.platform !== "win32" && (mode & PERMISSION_BITS) !== PRIVATE_MODE) {
    log.warn("check file permission", {
      error:
        `directory "${path}" exist, but the permission is "d${modeText(mode)}". The recommended permission is ` +
        `"-${modeText(PRIVATE_MODE)}" to prevent possible unprivileged access to the data`,
    });
  }
}

/** rwxr-xr-x */
function modeText(mode: number): string {
  let text = "";
  for (let bit = 8; bit >= 0; bit--) text += (mode >> bit) & 1 ? "rwx"[(8 - bit) % 3] : "-";
  return text;
}
