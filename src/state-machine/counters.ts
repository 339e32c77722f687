/** What was applied since the process started; exact, for metrics. Replayed entries count as well. */
export class ApplyCounters {
  puts = 0;
  putBytes = 0;
  deletes = 0;
  /** Transactions of more than one operation. */
  txns = 0;
  ranges = 0;
  leasesGranted = 0;
  leasesRevoked = 0;
}
