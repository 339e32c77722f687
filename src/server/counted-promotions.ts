/** Counts how promotions of learners ended, as etcd does: refusals by the text of their error. */
import type { MemberInstruments } from "../api/index.ts";
import type { MembershipProposer } from "./membership-proposer.ts";

export function countedPromotions(
  proposer: MembershipProposer,
  instruments: Pick<MemberInstruments, "learnerPromotions" | "learnerPromotionFailures">,
): MembershipProposer {
  return {
    proposeChange(request, waiter) {
      if (request.change !== "promote") {
        proposer.proposeChange(request, waiter);
        return;
      }
      proposer.proposeChange(request, {
        succeed: (reply) => {
          instruments.learnerPromotions.increment();
          waiter.succeed(reply);
        },
        fail: (error) => {
          instruments.learnerPromotionFailures.with(error.message).increment();
          waiter.fail(error);
        },
      });
    },
  };
}
