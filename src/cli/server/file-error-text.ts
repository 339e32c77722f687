/** An error of the file system as Go writes it: scripts and people search for these sentences. */
const REASONS: Readonly<Record<string, string>> = {
  ENOENT: "no such file or directory",
  EACCES: "permission denied",
  EPERM: "operation not permitted",
  EISDIR: "is a directory",
  ENOTDIR: "not a directory",
  EROFS: "read-only file system",
  ENOSPC: "no space left on device",
  EEXIST: "file exists",
};

export function fileErrorText(operation: string, path: string, error: unknown): string {
  const { code, message } = error as NodeJS.ErrnoException;
  return `${operation} ${path}: ${REASONS[code ?? ""] ?? message}`;
}
