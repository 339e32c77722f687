/**
 * A start that cannot go on, and how the process says so:
 * - usage: the command line cannot be parsed; the message and the usage, exit 2, as Go's flag package does;
 * - verify: the settings do not fit together; a warning in the log, exit 1;
 * - conflict: an option both in the environment and on the command line; fatal in the log, exit 1;
 * - start: the settings are well formed and cannot be used; fatal in the log, exit 1;
 * - panic: etcd dies of it; one line, exit 2;
 * - plain: one line on stderr, exit 1.
 */
export type ProblemKind = "usage" | "verify" | "conflict" | "start" | "panic" | "plain";

export class ConfigProblem {
  readonly kind: ProblemKind;
  readonly message: string;
  readonly fields: Readonly<Record<string, unknown>>;

  constructor(kind: ProblemKind, message: string, fields: Record<string, unknown> = {}) {
    this.kind = kind;
    this.message = message;
    this.fields = fields;
  }
}
