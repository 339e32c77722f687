import { hexId } from "../cluster/index.ts";

/** A start that is refused, with what an operator reads. */
export class StartProblem extends Error {
  override name = "StartProblem";
}

/** This member was removed from its cluster; its data is of no use any more. */
export class RemovedMember extends StartProblem {
  override name = "RemovedMember";

  constructor(memberId: bigint) {
    super(
      `member ${hexId(memberId)} has been permanently removed from the cluster: ` +
        "the data directory used by it must be removed",
    );
  }
}
