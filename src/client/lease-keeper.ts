/**
 * Renews one lease until it is gone: a request at a third of the life that the member granted. A broken
 * stream is opened again until the lease must have expired.
 *
 * Invariants: at most one renewal is unanswered; `onEnd` comes once and last.
 */
import type { EtcdError, LeaseKeepAliveResponse } from "../api/index.ts";
import { GrpcCode } from "../api/index.ts";
import type { Timer } from "../io/index.ts";
import type { Caller, OpenStream } from "./caller.ts";

const REOPEN_PAUSE_MS = 500;
const FIRST_ANSWER_MS = 5000;
const MS_PER_SECOND = 1000;

export interface LeaseListener {
  onRenewed(response: LeaseKeepAliveResponse): void;
  /** Null: the lease expired or was revoked, or the keeper was stopped. */
  onEnd(error: EtcdError | null): void;
}

export interface LeaseKeeper {
  stop(): void;
}

export function keepLeaseAlive(caller: Caller, id: bigint, listener: LeaseListener): LeaseKeeper {
  const { clock } = caller;
  let stream: OpenStream | null = null;
  let timer: Timer | null = null;
  let ended = false;
  let expiresAtMs = clock.monotonicMs() + FIRST_ANSWER_MS;

  const end = (error: EtcdError | null) => {
    if (ended) return;
    ended = true;
    timer?.cancel();
    stream?.cancel();
    listener.onEnd(error);
  };
  const later = (delayMs: number, run: () => void) => {
    timer?.cancel();
    timer = clock.setTimer(delayMs, run);
  };
  const renew = () => {
    stream?.send({ ID: id });
    later(Math.max(0, expiresAtMs - clock.monotonicMs()), () => end(null));
  };
  const onMessage = (response: LeaseKeepAliveResponse) => {
    if (ended) return;
    if (response.TTL <= 0) return end(null);
    expiresAtMs = clock.monotonicMs() + response.TTL * MS_PER_SECOND;
    listener.onRenewed(response);
    later((response.TTL * MS_PER_SECOND) / 3, renew);
  };
  const onClose = (error: EtcdError | null) => {
    stream = null;
    if (ended) return;
    const mayReturn = error === null || error.code === GrpcCode.Unavailable;
    if (!mayReturn) return end(error);
    if (clock.monotonicMs() >= expiresAtMs) return end(null);
    later(REOPEN_PAUSE_MS, open);
  };
  const open = () => {
    caller.stream("/etcdserverpb.Lease/LeaseKeepAlive", { onMessage, onClose }).then((opened) => {
      stream = opened;
      if (ended) opened.cancel();
      else opened.send({ ID: id });
    }, end);
  };
  open();
  return { stop: () => end(null) };
}
