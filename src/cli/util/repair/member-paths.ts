/** Where a member keeps what. */
export interface MemberPaths {
  readonly dataDirectory: string;
  /** <data>/member: all of it but a write-ahead log that has a directory of its own. */
  readonly memberDirectory: string;
  readonly walDirectory: string;
  readonly snapshotDirectory: string;
  readonly databasePath: string;
}

/** An empty `walDirectory` is the usual one. */
export function memberPaths(dataDirectory: string, walDirectory: string): MemberPaths {
  const memberDirectory = `${dataDirectory}/member`;
  const snapshotDirectory = `${memberDirectory}/snap`;
  return {
    dataDirectory,
    memberDirectory,
    walDirectory: walDirectory === "" ? `${memberDirectory}/wal` : walDirectory,
    snapshotDirectory,
    databasePath: `${snapshotDirectory}/db`,
  };
}
