import { dirname } from "node:path";

/** The directory whose entry a file is. */
export function parentOf(path: string): string {
  return dirname(path);
}
