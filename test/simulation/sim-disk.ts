/** The disk of one member: syncs take time, and sometimes very long. */
import { type Fault, FaultDisk } from "../disk/fault-disk.ts";
import type { SeededRandom } from "../disk/seeded-random.ts";
import type { SimProcess } from "./sim-process.ts";

export class SimDisk extends FaultDisk {
  /** Syncs take up to so long. */
  syncMsMax = 4;
  /** Failed syncs leave pages in memory that look clean and are not on the disk. */
  #mayHaveFalsePages = false;
  readonly #process: SimProcess;
  readonly #random: SeededRandom;
  /** No sync ends before. */
  #stalledUntilMs = 0;
  #lastEndMs = 0;

  constructor(process: SimProcess) {
    super();
    this.syncMode = "step";
    this.#process = process;
    this.#random = process.world.random(`disk ${process.name}`);
  }

  stall(durationMs: number): void {
    this.#stalledUntilMs = this.#process.world.nowMs + durationMs;
  }

  override inject(fault: Fault): void {
    if (fault.operation === "sync" && fault.effect.kind === "fail") this.#mayHaveFalsePages = true;
    super.inject(fault);
  }

  override crash(seed: number): void {
    this.#mayHaveFalsePages = false;
    super.crash(seed);
  }

  /**
   * A program that starts again on pages of a failed sync cannot know that they are not on the disk: no one can hold
   * anything then. So the machine goes down with the process.
   */
  override kill(): void {
    if (this.#mayHaveFalsePages) this.crash(this.#random.below(2 ** 31));
    else super.kill();
  }

  override startSync(...sync: Parameters<FaultDisk["startSync"]>): void {
    super.startSync(...sync);
    const { world } = this.#process;
    const tookMs = 0.1 + this.#random.next() * this.syncMsMax;
    // One after the other: `step` completes the oldest.
    this.#lastEndMs = Math.max(world.nowMs + tookMs, this.#stalledUntilMs, this.#lastEndMs);
    world.post(this.#process, this.#lastEndMs - world.nowMs, "disk", () => this.step());
  }
}
