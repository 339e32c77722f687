import type { Member } from "../../server/index.ts";
import type { Config } from "./config.ts";
export function memberMetrics(_m: Member, _c: Config) {
  return { onHandled: undefined as never, health: null, render: (_c: unknown) => "" };
}
