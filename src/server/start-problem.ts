/** A start that is refused, with what an operator reads. */
export class StartProblem extends Error {
  override name = "StartProblem";
}
