/**
 * Assertions for programmer errors. They stay on in production: a store that runs on with a broken
 * invariant loses data. Failures of the outside world (disk, network, bad input) are values, not asserts.
 */
export class AssertionError extends Error {
  override name = "AssertionError";
}

export function assert(condition: boolean, message: string): asserts condition {
  if (!condition) throw new AssertionError(message);
}

export function unreachable(value: never, message = "unreachable"): never {
  throw new AssertionError(`${message}: ${String(value)}`);
}

let verifyEnabled = false;

/** Turns the costly checks on (tests, the simulator, ETCD_VERIFY=all). Called once by a composition root. */
export function enableVerify(enabled: boolean): void {
  verifyEnabled = enabled;
}

/** Runs a costly self-check only where verify is on. */
export function verify(check: () => void): void {
  if (verifyEnabled) check();
}
