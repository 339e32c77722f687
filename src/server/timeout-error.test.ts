import { describe, expect, test } from "bun:test";
import {
  errTimeout,
  errTimeoutDueToConnectionLost,
  errTimeoutDueToLeaderFail,
} from "../api/index.ts";
import { type TimeoutFacts, timeoutError } from "./timeout-error.ts";

const ALL_UP = () => 0;

function facts(extra: Partial<TimeoutFacts>): TimeoutFacts {
  return {
    memberId: 1n,
    leader: 2n,
    leaderSinceMs: 10_000,
    electionTimeoutMs: 1000,
    members: [1n, 2n, 3n],
    activeSinceMs: ALL_UP,
    ...extra,
  };
}

describe("timeoutError", () => {
  test("names the leader's failure for what began within two election timeouts before a new leader", () => {
    const at = (startMs: number) => timeoutError(startMs, facts({}));
    expect(at(8000)).toBe(errTimeout);
    expect(at(8001)).toBe(errTimeoutDueToLeaderFail);
    expect(at(9999)).toBe(errTimeoutDueToLeaderFail);
    expect(at(10_000)).toBe(errTimeout);
  });

  test("says nothing more while no leader is known, and before the first one", () => {
    expect(timeoutError(20_000, facts({ leader: 0n }))).toBe(errTimeout);
    const none = facts({ leader: 0n, leaderSinceMs: Number.NEGATIVE_INFINITY });
    expect(timeoutError(5, none)).toBe(errTimeout);
  });

  test("a follower looks at its connection to the leader alone", () => {
    const only = (member: bigint, sinceMs: number) =>
      facts({ activeSinceMs: (asked) => (asked === member ? sinceMs : Number.NaN) });
    expect(timeoutError(20_000, only(2n, 19_999))).toBe(errTimeout);
    expect(timeoutError(20_000, only(2n, 20_000))).toBe(errTimeoutDueToConnectionLost);
    expect(timeoutError(20_000, only(3n, 0))).toBe(errTimeoutDueToConnectionLost);
  });

  test("the leader looks for a majority of all members, itself among them", () => {
    const leading = (members: bigint[], up: bigint[]) =>
      timeoutError(
        20_000,
        facts({
          leader: 1n,
          members,
          activeSinceMs: (member) => (up.includes(member) ? 0 : Number.NaN),
        }),
      );
    expect(leading([1n, 2n, 3n], [3n])).toBe(errTimeout);
    expect(leading([1n, 2n, 3n], [])).toBe(errTimeoutDueToConnectionLost);
    expect(leading([1n, 2n], [])).toBe(errTimeoutDueToConnectionLost);
    expect(leading([1n], [])).toBe(errTimeout);
    expect(leading([1n, 2n, 3n, 4n], [2n])).toBe(errTimeoutDueToConnectionLost);
  });
});
