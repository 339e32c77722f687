import { expect, test } from "bun:test";
import fc from "fast-check";
import { IntervalMap, OPEN_END } from "./interval-map.ts";

const keyArbitrary = fc
  .array(fc.constantFrom("a", "b", "\u0000", "\u00ff"), { minLength: 1, maxLength: 3 })
  .map((letters) => letters.join(""));
const endArbitrary = fc.oneof({ weight: 4, arbitrary: keyArbitrary }, fc.constant(OPEN_END));

test("IntervalMap finds what a list of intervals finds, through sets and deletes", () => {
  const command = fc.tuple(fc.constantFrom("set", "set", "delete"), keyArbitrary, endArbitrary);
  fc.assert(
    fc.property(
      fc.array(command, { maxLength: 200 }),
      fc.array(keyArbitrary),
      (commands, points) => {
        const map = new IntervalMap<number>();
        const model = new Map<string, { start: string; end: string; value: number }>();
        commands.forEach(([kind, start, end], value) => {
          const name = JSON.stringify([start, end]);
          if (kind === "set") {
            map.set(start, end, value);
            model.set(name, { start, end, value });
          } else expect(map.delete(start, end)).toBe(model.delete(name));
          expect(map.get(start, end)).toBe(model.get(name)?.value);
        });
        expect(map.size).toBe(model.size);
        for (const point of points) {
          const found: number[] = [];
          map.stab(point, found);
          const expected = [...model.values()]
            .filter(({ start, end }) => start <= point && point < end)
            .map(({ value }) => value);
          expect(found.sort()).toEqual(expected.sort());
        }
      },
    ),
    { numRuns: 300 },
  );
});

test("IntervalMap stays flat when intervals come in order", () => {
  const map = new IntervalMap<number>();
  const name = (index: number) => `k${String(index).padStart(6, "0")}`;
  for (let index = 0; index < 50_000; index++) map.set(name(index), name(index + 1), index);
  const started = performance.now();
  for (let index = 0; index < 50_000; index++) {
    const found: number[] = [];
    map.stab(name(index), found);
    if (found.length !== 1 || found[0] !== index) throw new Error(`point ${index}: ${found}`);
  }
  // A list of that many nodes would need minutes.
  expect(performance.now() - started).toBeLessThan(5000);
});
