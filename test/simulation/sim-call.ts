/** Calls of simulated clients, straight into the services. */
import type { CallContext, EtcdError, UnaryCall } from "../../src/api/index.ts";

const CONTEXT: CallContext = {
  token: null,
  requireLeader: false,
  clientApiVersion: "3.7",
  peerName: "",
  viaGateway: false,
  peerAddress: "simulation",
  deadlineMs: Number.POSITIVE_INFINITY,
};

/** Tells its answer to a listener; exactly one answer is allowed. */
export function simCall<Response>(
  done: (response: Response | null, error: EtcdError | null) => void,
): UnaryCall<Response> {
  let answered = false;
  const answer = (response: Response | null, error: EtcdError | null) => {
    if (answered) throw new Error("a call was answered twice");
    answered = true;
    done(response, error);
  };
  return {
    context: CONTEXT,
    aborted: false,
    succeed: (response) => answer(response, null),
    fail: (error) => answer(null, error),
    onAbort() {},
  };
}
