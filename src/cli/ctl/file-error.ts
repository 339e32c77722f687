import type { DiskError } from "../../io/index.ts";

/** An error of the file system as Go words it. */
export function fileErrorText(operation: string, path: string, error: DiskError): string {
  return `${operation} ${path}: ${FILE_ERRORS[error.code] ?? error.message}`;
}

const FILE_ERRORS: Readonly<Record<string, string>> = {
  ENOENT: "no such file or directory",
  EACCES: "permission denied",
  EISDIR: "is a directory",
  ENOTDIR: "not a directory",
  ENOSPC: "no space left on device",
  EROFS: "read-only file system",
  EEXIST: "file exists",
};
