/** The one timer of a call with a deadline. */
import type { Clock, Timer } from "../../io/index.ts";

/** Timers of the platform reach no further; whoever waits longer than 24 days waits without a deadline. */
const TIMER_MS_MAX = 2 ** 31 - 1;

/** Calls `fire` when the deadline has passed; null when there is none to watch. */
export function watchDeadline(clock: Clock, deadlineMs: number, fire: () => void): Timer | null {
  const leftMs = deadlineMs - clock.monotonicMs();
  return leftMs > TIMER_MS_MAX ? null : clock.setTimer(Math.max(leftMs, 0), fire);
}
