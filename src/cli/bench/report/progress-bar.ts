/**
 * The line that shows how far a run is, redrawn in place on a terminal. Where nobody looks (pipe, file, --json) it
 * is never made. `finish` wipes it so that the report stands alone.
 */
import { type BarStyle, barText } from "./bars.ts";

const REDRAW_MS = 100;
const BAR_CELLS = 30;
const LEFT_MAX_MS = 100 * 3600 * 1000;

export interface ProgressState {
  /** 0 to 1. */
  readonly fraction: number;
  readonly elapsedMs: number;
  /** Shown after the times. */
  readonly note: string;
}

export class ProgressBar {
  readonly #write: (text: string) => unknown;
  readonly #state: () => ProgressState;
  readonly #style: BarStyle;
  #timer: ReturnType<typeof setInterval> | null = null;

  constructor(write: (text: string) => unknown, style: BarStyle, state: () => ProgressState) {
    this.#write = write;
    this.#style = style;
    this.#state = state;
  }

  start(): void {
    this.#timer = setInterval(() => this.#draw(), REDRAW_MS);
  }

  finish(): void {
    if (this.#timer === null) return;
    clearInterval(this.#timer);
    this.#timer = null;
    this.#write(WIPE);
  }

  #draw(): void {
    this.#write(`${WIPE}${progressText(this.#state(), this.#style)}`);
  }
}

/** Back to the first column and clear to the end of the line. */
const WIPE = "\r\u001b[K";

export function progressText(state: ProgressState, style: BarStyle): string {
  const fraction = Math.min(1, Math.max(0, state.fraction));
  const bar = barText(fraction, 1, BAR_CELLS, style);
  const percent = `${Math.floor(fraction * 100)}%`.padStart(4);
  const leftMs = fraction > 0 ? (state.elapsedMs / fraction) * (1 - fraction) : LEFT_MAX_MS;
  const left = leftMs < LEFT_MAX_MS ? `${clockText(leftMs)} left` : "";
  const note = state.note === "" ? "" : `  ${state.note}`;
  return `[${bar.padEnd(BAR_CELLS)}]${percent}  ${clockText(state.elapsedMs)}  ${left}${note}`;
}

/** Minutes and seconds. */
function clockText(milliseconds: number): string {
  const seconds = Math.round(milliseconds / 1000);
  return `${Math.floor(seconds / 60)}:${String(seconds % 60).padStart(2, "0")}`;
}
