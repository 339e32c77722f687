/** What the operating system says about this process; what it does not tell is undefined. */
import { readdirSync, readFileSync } from "node:fs";
import type { ProcessSample } from "../../api/index.ts";

const CLOCK_TICKS_PER_SECOND = 100;

export function processSample(): ProcessSample {
  const cpu = process.cpuUsage();
  return {
    cpuSeconds: (cpu.user + cpu.system) / 1e6,
    residentBytes: process.memoryUsage.rss(),
    virtualBytes: virtualBytes(),
    openFiles: attempt(() => readdirSync("/proc/self/fd").length),
    openFilesMax: openFilesMax(),
    startSeconds: startSeconds(),
  };
}

function attempt<T>(read: () => T): T | undefined {
  try {
    return read();
  } catch {
    return undefined; // not this operating system
  }
}

function virtualBytes(): number | undefined {
  const pages = attempt(() => Number(readFileSync("/proc/self/statm", "utf8").split(" ")[0]));
  return pages === undefined ? undefined : pages * 4096;
}

export function openFilesMax(): number | undefined {
  const limits = attempt(() => readFileSync("/proc/self/limits", "utf8"));
  const soft = /^Max open files\s+(\d+)/m.exec(limits ?? "")?.[1];
  return soft === undefined ? undefined : Number(soft);
}

function startSeconds(): number | undefined {
  const boot = /^btime (\d+)/m.exec(attempt(() => readFileSync("/proc/stat", "utf8")) ?? "")?.[1];
  const fields = attempt(() =>
    readFileSync("/proc/self/stat", "utf8").split(") ").at(-1)?.split(" "),
  );
  if (boot === undefined || fields === undefined) return undefined;
  return Number(boot) + Number(fields[19]) / CLOCK_TICKS_PER_SECOND;
}
