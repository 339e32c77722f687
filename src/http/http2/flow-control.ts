/**
 * Receive windows (RFC 9113, section 5.2). An account belongs to a stream or to the connection as a whole.
 * Credit goes back only for bytes that their consumer took, and in strides of half a window, so a consumer that
 * stops reading stops the peer, and memory is bounded by the windows.
 */
export interface ReceiveAccount {
  /** What the peer may still send. */
  receiveWindow: number;
  /** Taken by the consumer and not yet announced to the peer. */
  returnedBytes: number;
}

/** Counts bytes that the peer sent; false when it sent more than it was allowed to. */
export function takeFromWindow(account: ReceiveAccount, bytes: number): boolean {
  account.receiveWindow -= bytes;
  return account.receiveWindow >= 0;
}

/** Counts bytes the consumer took. Returns the increment to announce now, or 0. */
export function returnToWindow(
  account: ReceiveAccount,
  bytes: number,
  windowBytes: number,
): number {
  account.returnedBytes += bytes;
  if (account.returnedBytes * 2 < windowBytes) return 0;
  const increment = account.returnedBytes;
  account.returnedBytes = 0;
  account.receiveWindow += increment;
  return increment;
}
