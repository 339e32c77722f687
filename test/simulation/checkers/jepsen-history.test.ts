// The 102 recorded histories get the published verdicts.
import { expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { parseJepsenHistory } from "./jepsen-history.ts";
import { checkLinearizable } from "./linearizable.ts";
import { isLinearization } from "./linearization.ts";
import { registerModel } from "./register-model.ts";

const folder = join(import.meta.dir, "histories");
const read = (name: string) => readFileSync(join(folder, name), "utf8");

test("checkLinearizable gives the verdicts of 102 recorded histories, each with its longest order", () => {
  const counts = { ok: 0, illegal: 0, timeout: 0 };
  const wrong: string[] = [];
  for (const line of read("verdicts.txt").trim().split("\n")) {
    const [name, expected] = line.split(" ");
    const history = parseJepsenHistory(read(`${name}.txt`));
    const verdict = checkLinearizable(history, registerModel);
    counts[verdict.kind]++;
    if (verdict.kind !== expected) wrong.push(`${name}: ${verdict.kind}, not ${expected}`);
    if (verdict.kind === "ok") continue;
    if (!isLinearization(history, registerModel, verdict.longest)) wrong.push(`${name}: order`);
    if (verdict.longest.includes(verdict.blocked!)) wrong.push(`${name}: blocked`);
  }
  expect(wrong).toEqual([]);
  expect(counts).toEqual({ ok: 23, illegal: 79, timeout: 0 });
});

test("parseJepsenHistory refuses lines that are no operations", () => {
  const line = (text: string) => `INFO  jepsen.util - ${text}\n`;
  expect(() => parseJepsenHistory("hello\n")).toThrow("line 1");
  expect(() => parseJepsenHistory(line("0\t:ok\t:read\tnil"))).toThrow("none open");
  const call = line("0\t:invoke\t:read\tnil");
  expect(() => parseJepsenHistory(call + call)).toThrow("has one open");
  expect(() => parseJepsenHistory(line("0\t:invoke\t:cas\t3"))).toThrow("unknown");
});
