// The power goes after every single disk operation of receiving and installing a snapshot, and the disk keeps a random
// part of what was not synced. What a start finds is the old state or the new one, never a mix, and never less than
// what the log said durably: its term, its vote, its commit index.
import { expect, test } from "bun:test";
import { FaultDisk, PowerCut } from "../../test/disk/fault-disk.ts";
import { SeededRandom } from "../../test/disk/seeded-random.ts";
import type { LogEntry } from "../state-machine/index.ts";
import { RandomEntries } from "./testing/random-entries.ts";
import { type SentSnapshot, StateBench, VOTE } from "./testing/state-bench.ts";

const SEEDS = Number(process.env.CAIRN_SNAPSHOT_CRASH_SEEDS ?? 2);
const SNAPSHOTS = "/data/member/snap";

interface Story {
  readonly seed: number;
  readonly entries: readonly LogEntry[];
  /** How many of them the follower has before. */
  readonly before: number;
  readonly sent: SentSnapshot;
  readonly oldView: unknown;
  readonly newView: unknown;
}

function newDisk(): FaultDisk {
  const disk = new FaultDisk();
  disk.makeDirectory("/data");
  return disk;
}

function storyOf(seed: number): Story {
  const random = new SeededRandom(seed);
  const leader = new StateBench(newDisk());
  const entries = new RandomEntries(random, 2).take(20 + random.below(30));
  const before = random.below(entries.length - 1);
  for (const entry of entries.slice(0, before)) leader.apply(entry);
  const oldView = leader.view();
  for (const entry of entries.slice(before)) leader.apply(entry);
  const sent = leader.send();
  return { seed, entries, before, sent, oldView, newView: leader.view() };
}

interface Told {
  /** The log names the snapshot durably. */
  durable: boolean;
  installed: boolean;
}

/** The follower up to the power cut, or to the end. */
function follow(story: Story, disk: FaultDisk, told: Told, cutAfter: number): number {
  const random = new SeededRandom(story.seed);
  const follower = new StateBench(disk);
  for (const entry of story.entries.slice(0, story.before)) {
    follower.apply(entry);
    if (random.chance(0.1)) follower.commit();
  }
  follower.settle();
  const begun = disk.operationCount;
  disk.crashAfter = begun + cutAfter;
  // Writes that are not committed when the state goes, and a commit that is under way.
  if (random.chance(0.5)) follower.state.storage.database.commit();
  const { message } = story.sent;
  follower.deliver = () => {
    follower.install(
      message.snapshot,
      () => {
        told.durable = true;
      },
      () => {
        told.installed = true;
      },
    );
    return true;
  };
  const answer = follower.receive(story.sent);
  follower.settle();
  expect([answer.accepted, told.installed]).toEqual([true, true]);
  expect(follower.view()).toEqual(story.newView);
  // The member goes on in the new state and its database is written to.
  follower.commit();
  return disk.operationCount - begun;
}

function checkRestart(story: Story, disk: FaultDisk, told: Told): "old" | "new" {
  const again = new StateBench(disk);
  const found = again.state.stateMachine.appliedIndex();
  const isNew = found === story.sent.message.snapshot.index;
  expect(again.view()).toEqual(isNew ? story.newView : story.oldView);
  if (told.durable) expect(isNew).toBe(true);
  if (isNew) expect(again.hardState.vote).toBe(VOTE);
  expect(disk.list(SNAPSHOTS)).toEqual(["db"]);
  // It can be written to, and a second start finds the same.
  const rest = new RandomEntries(new SeededRandom(story.seed + 1), found + 1).take(5);
  for (const entry of rest) {
    again.apply({ ...entry, term: again.hardState.term });
    again.commit();
  }
  const view = again.view();
  disk.crash(story.seed);
  expect(new StateBench(disk).view()).toEqual(view);
  return isNew ? "new" : "old";
}

/** What a start after a kill found, in the system's memory, is still there when the power goes after that. */
function checkAfterKill(disk: FaultDisk, seed: number): void {
  const view = new StateBench(disk).view();
  disk.crash(seed);
  expect(new StateBench(disk).view()).toEqual(view);
  disk.kill();
}

test("a power cut at every disk operation of receive and install leaves the old or the new state", () => {
  const found = { old: 0, new: 0 };
  for (let seed = 1; seed <= SEEDS; seed++) {
    const story = storyOf(seed);
    for (const syncMode of ["immediate", "step"] as const) {
      const whole = newDisk();
      whole.syncMode = syncMode;
      const told = { durable: false, installed: false };
      const operations = follow(story, whole, told, Number.POSITIVE_INFINITY);
      for (let cut = 0; cut <= operations; cut++) {
        const disk = newDisk();
        disk.syncMode = syncMode;
        const cutTold = { durable: false, installed: false };
        try {
          follow(story, disk, cutTold, cut);
        } catch (error) {
          if (!(error instanceof PowerCut)) throw error;
        }
        const isKilled = cut % 2 === 1;
        if (isKilled) disk.kill();
        else disk.crash(cut * 7 + seed);
        disk.syncMode = "immediate";
        try {
          if (isKilled) checkAfterKill(disk, cut);
          found[checkRestart(story, disk, cutTold)]++;
        } catch (error) {
          throw new Error(`seed ${seed}, ${syncMode}, cut ${cut}: ${String(error)}`, {
            cause: error,
          });
        }
      }
    }
  }
  expect(found.old).toBeGreaterThan(0);
  expect(found.new).toBeGreaterThan(0);
}, 60_000);
