/** What services may know of the replicated log: cheap answers about this moment, and news of leadership. */
export interface RaftView {
  readonly memberId: bigint;
  term(): number;
  /** 0n while none is known. */
  leader(): bigint;
  isLeader(): boolean;
  commit(): number;
  lastIndex(): number;
  /** Called, in a turn of its own, whenever the known leader or this member's role changed. */
  onLeadership(listener: (news: Leadership) => void): void;
}

export interface Leadership {
  readonly term: number;
  /** 0n while none is known. */
  readonly leader: bigint;
  /** This member leads and its state holds everything that was committed before its term. */
  readonly isLeading: boolean;
}
