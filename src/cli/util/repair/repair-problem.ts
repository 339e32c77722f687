/** Why nothing (more) is repaired: what an operator reads. Whatever is in doubt ends in one of these. */
export class RepairProblem extends Error {
  override name = "RepairProblem";
}
