/**
 * What nobody caught ends the process, said in the log: a page or a record that is not what was written, or a fault of
 * the program. Going on could serve wrong data or acknowledge what is not kept.
 */
import { TreeDamage } from "../../bbolt/index.ts";
import { DatabaseDamage } from "../../database/index.ts";
import type { RootLogger } from "../../io/bun/index.ts";
import { WalDamage } from "../../wal/index.ts";
import { EXIT_FAILED } from "./refuse.ts";

export function dieOfFaults(log: RootLogger): void {
  const die = (error: unknown): never => {
    if (isDamage(error)) {
      const fields = { error: error.message };
      log.fatal("the data of this member is damaged; ending before wrong data is served", fields);
    } else {
      const text = error instanceof Error ? (error.stack ?? error.message) : String(error);
      log.fatal("a fault in the program; ending before wrong data is served", { error: text });
    }
    process.exit(EXIT_FAILED);
  };
  process.on("uncaughtException", die);
  process.on("unhandledRejection", die);
}

export function isDamage(error: unknown): error is WalDamage | TreeDamage | DatabaseDamage {
  return (
    error instanceof WalDamage || error instanceof TreeDamage || error instanceof DatabaseDamage
  );
}
