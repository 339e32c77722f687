export type { Clock, Timer } from "./clock.ts";
export type { Digest, NewDigest } from "./digest.ts";
export type { Disk, DiskFile, OpenOptions } from "./disk.ts";
export { DiskError } from "./disk.ts";
export type { LogFields, Logger } from "./logger.ts";
export { silentLogger } from "./logger.ts";
export type { Random } from "./random.ts";
