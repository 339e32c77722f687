/** Calls of simulated clients, straight into the services. */
import type { EtcdError, UnaryCall } from "../../src/api/index.ts";
import { CLIENT_CONTEXT } from "./client-call.ts";

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
    context: CLIENT_CONTEXT,
    aborted: false,
    succeed: (response) => answer(response, null),
    fail: (error) => answer(null, error),
    onAbort() {},
  };
}
