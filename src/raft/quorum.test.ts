import { expect, test } from "bun:test";
import fc from "fast-check";
import { majorityOf, majorityValue, voteResult } from "./quorum.ts";

const voters = (count: number) => Array.from({ length: count }, (_, i) => BigInt(i + 1));

test("majorityOf is the smallest number whose two sets always overlap", () => {
  for (let count = 1; count <= 20; count++) {
    expect(2 * majorityOf(count)).toBeGreaterThan(count);
    expect(2 * (majorityOf(count) - 1)).toBeLessThanOrEqual(count);
  }
});

test("majorityValue equals trying every value", () => {
  const values = fc.array(fc.integer({ min: 0, max: 12 }), { minLength: 0, maxLength: 9 });
  fc.assert(
    fc.property(values, fc.array(fc.nat(99), { maxLength: 3 }), (given, beyond) => {
      let best = 0;
      for (const value of given) {
        const reached = given.filter((each) => each >= value).length;
        if (reached * 2 > given.length) best = Math.max(best, value);
      }
      // What lies beyond `count` in the scratch array is none of its business.
      const scratch = Float64Array.from([...given, ...beyond]);
      expect(majorityValue(scratch, given.length)).toBe(best);
    }),
  );
});

test("majorityValue never exceeds what a majority has, and never falls when one value rises", () => {
  const values = fc.array(fc.nat(1000), { minLength: 1, maxLength: 7 });
  fc.assert(
    fc.property(values, fc.nat(6), fc.nat(1000), (given, which, more) => {
      const before = majorityValue(Float64Array.from(given), given.length);
      const raised = [...given];
      raised[which % given.length]! += more;
      const after = majorityValue(Float64Array.from(raised), given.length);
      expect(after).toBeGreaterThanOrEqual(before);
    }),
  );
});

test("voteResult equals looking at all ways the missing answers could turn out", () => {
  const answer = fc.constantFrom<(boolean | undefined)[]>(true, false, undefined);
  fc.assert(
    fc.property(fc.array(answer, { minLength: 0, maxLength: 7 }), (given) => {
      const electorate = voters(given.length);
      const answers = new Map<bigint, boolean>([[99n, true]]);
      given.forEach((each, i) => {
        if (each !== undefined) answers.set(electorate[i]!, each);
      });
      const missing = given.filter((each) => each === undefined).length;
      const granted = given.filter((each) => each === true).length;
      const wins = (yes: number) => yes * 2 > given.length;
      const expected = wins(granted) ? "won" : wins(granted + missing) ? "pending" : "lost";
      expect(voteResult(electorate, answers)).toBe(expected);
    }),
  );
});

test("two electorates that differ by one voter cannot both be won by disjoint voters", () => {
  // What a single simple membership change rests on (thesis 4.1).
  for (let count = 1; count <= 8; count++) {
    expect(majorityOf(count) + majorityOf(count + 1)).toBeGreaterThan(count + 1);
  }
});
