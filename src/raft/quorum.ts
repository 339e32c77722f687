/**
 * Majority arithmetic, the whole of it: who won a vote, and which value a majority has reached. The
 * same second function answers three questions of a leader: which index is committed (thesis
 * 3.6.2), which read round is confirmed (6.4), and since which tick the lease runs (6.4.1).
 */

export type VoteResult = "won" | "lost" | "pending";

export function majorityOf(count: number): number {
  return (count >> 1) + 1;
}

/** Only answers of `voters` count; an empty electorate elects nobody. */
export function voteResult(
  voters: readonly bigint[],
  answers: ReadonlyMap<bigint, boolean>,
): VoteResult {
  let granted = 0;
  let missing = 0;
  for (const voter of voters) {
    const answer = answers.get(voter);
    if (answer === undefined) missing++;
    else if (answer) granted++;
  }
  const needed = majorityOf(voters.length);
  if (granted >= needed) return "won";
  return granted + missing >= needed ? "pending" : "lost";
}

/**
 * The highest value that a majority of the first `count` values is at or above; 0 for none at all.
 * Sorts `values` in place: a handful of numbers, so insertion sort.
 */
export function majorityValue(values: Float64Array, count: number): number {
  for (let i = 1; i < count; i++) {
    const value = values[i]!;
    let at = i;
    while (at > 0 && values[at - 1]! > value) {
      values[at] = values[at - 1]!;
      at--;
    }
    values[at] = value;
  }
  return count === 0 ? 0 : values[count - majorityOf(count)]!;
}
