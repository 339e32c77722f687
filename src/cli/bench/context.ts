/** What every bench command gets: the ports it acts through, and what the terminal can show. */
import { boolFlag, type FlagSet } from "../args/index.ts";
import type { ControlContext } from "../ctl/context.ts";
import type { BarStyle } from "./report/bars.ts";

export interface BenchContext extends ControlContext {
  /** Standard output is a terminal: a progress bar may be drawn there. */
  readonly isTerminal: boolean;
  readonly style: BarStyle;
  /** Calls back at each Ctrl-C or SIGTERM until the result is called. */
  readonly onInterrupt: (stop: () => void) => () => void;
}

export const ASCII_FLAG = boolFlag("ascii", "draw with plain characters");

export function styleOf(context: BenchContext, flags: FlagSet): BarStyle {
  return flags.flag("ascii") ? "ascii" : context.style;
}
