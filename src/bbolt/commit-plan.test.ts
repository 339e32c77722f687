import { expect, test } from "bun:test";
import { utf8, utf8Text } from "../base/bytes.ts";
import { type CommitPlan, commitSteps, TreeCheck, TreeFile } from "./index.ts";
import { MemoryFile } from "./testing/memory-file.ts";

const options = { pageCacheBytes: 1 << 16, pageBytes: 1024 };
const name = utf8("b");

function keyOf(n: number): Uint8Array {
  return utf8(String(n).padStart(6, "0"));
}

/** A file with some history, hence with free pages to reuse. */
function fileWithHistory(): MemoryFile {
  const file = new MemoryFile();
  const tree = TreeFile.open(file, options);
  for (let round = 0; round < 4; round++) {
    const write = tree.beginWrite();
    const bucket = write.root().createBucketIfMissing(name);
    for (let n = 0; n < 300; n++) bucket.put(keyOf(n), utf8(`round ${round} of ${n}`));
    write.commitNow();
  }
  tree.close();
  return file;
}

function planOn(file: MemoryFile, change: "rewrite" | "shrink"): CommitPlan {
  const write = TreeFile.open(file, options).beginWrite();
  const bucket = write.root().bucket(name)!;
  for (let n = 0; n < 300; n += 2) {
    if (change === "rewrite") bucket.put(keyOf(n), new Uint8Array(n * 10).fill(n));
    else bucket.delete(keyOf(n));
  }
  if (change === "shrink") for (let n = 1; n < 300; n += 2) bucket.delete(keyOf(n));
  return write.plan();
}

/** What the file holds, as one text; throws when the check finds something. */
function stateOf(file: MemoryFile): string {
  const tree = TreeFile.open(file, options);
  const read = tree.beginRead();
  expect(new TreeCheck(read).run()).toEqual([]);
  const parts = [`transaction ${tree.transactionId()}`];
  const cursor = read.root().bucket(name)!.cursor();
  for (let more = cursor.first(); more; more = cursor.next()) {
    parts.push(`${utf8Text(cursor.key())}=${Buffer.from(cursor.value()).toString("hex")}`);
  }
  read.close();
  // A file that was cut off must take the next commit too.
  const write = tree.beginWrite();
  write.root().createBucketIfMissing(utf8("after")).put(utf8("a"), utf8("b"));
  write.commitNow();
  const after = tree.beginRead();
  expect(new TreeCheck(after).run()).toEqual([]);
  after.close();
  return parts.join("\n");
}

/**
 * The file after `bytesWritten` bytes of the plan's writes, with or without what was not synced
 * yet.
 */
function cutAfter(before: Uint8Array, plan: CommitPlan, bytesWritten: number): MemoryFile {
  const file = new MemoryFile(before.slice());
  let left = bytesWritten;
  for (const step of commitSteps(plan)) {
    if (step.kind === "grow") file.preallocate(step.sizeBytes);
    if (step.kind === "truncate") file.truncate(step.sizeBytes);
    if (step.kind !== "write") continue;
    let position = step.position;
    for (const buffer of step.buffers) {
      const count = Math.min(buffer.length, left);
      if (count > 0) file.writeAt(buffer, 0, count, position);
      left -= count;
      position += buffer.length;
      if (count < buffer.length) return file;
    }
  }
  return file;
}

for (const change of ["rewrite", "shrink"] as const) {
  test(`a commit cut off anywhere leaves the old or the new state (${change})`, () => {
    const start = fileWithHistory();
    const before = start.content();
    const plan = planOn(start, change);
    let total = 0;
    for (const step of commitSteps(plan)) {
      if (step.kind === "write") for (const buffer of step.buffers) total += buffer.length;
    }
    const oldState = stateOf(new MemoryFile(before.slice()));
    const newState = stateOf(cutAfter(before, plan, total));
    expect(newState).not.toBe(oldState);
    // Every page border, every byte of the meta's fields, and places inside of pages.
    const metaStart = total - plan.meta.length;
    const cuts = new Set<number>([0]);
    for (let at = 0; at < metaStart; at += 512) cuts.add(at).add(at + 100);
    for (let at = 0; at < 90; at++) cuts.add(metaStart + at);
    for (const at of cuts) {
      const expected = at >= metaStart + 80 ? newState : oldState;
      if (stateOf(cutAfter(before, plan, at)) !== expected) expect.unreachable(`cut at ${at}`);
    }
  });
}

test("a plan's first writes may reach the disk in any order before the first sync", () => {
  const start = fileWithHistory();
  const before = start.content();
  const plan = planOn(start, "rewrite");
  const oldState = stateOf(new MemoryFile(before.slice()));
  for (let which = 0; which < plan.runs.length; which++) {
    const file = new MemoryFile(before.slice());
    plan.runs.forEach((run, i) => {
      if (i % (which + 1) === 0) file.writeManyAt(run.buffers, run.pageId * plan.pageBytes);
    });
    if (stateOf(file) !== oldState) expect.unreachable(`runs divided by ${which + 1}`);
  }
});

test("a plan writes no page of the old state and only whole pages, in order", () => {
  const start = fileWithHistory();
  const before = start.content();
  const plan = planOn(start, "rewrite");
  expect(plan.runs.length).toBeGreaterThan(0);
  let end = 2;
  for (const run of plan.runs) {
    expect(run.pageId).toBeGreaterThanOrEqual(end);
    end = run.pageId;
    for (const buffer of run.buffers) {
      expect(buffer.length % plan.pageBytes).toBe(0);
      end += buffer.length / plan.pageBytes;
    }
  }
  expect(start.content().slice(0, before.length)).toEqual(before);
});
