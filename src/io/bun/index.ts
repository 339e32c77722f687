export { BunClock } from "./bun-clock.ts";
export { newBunDigest } from "./bun-digest.ts";
export { BunDisk, parentDirectory } from "./bun-disk.ts";
export { BunRandom } from "./bun-random.ts";
export { libc } from "./libc.ts";
export { createLogger, type LogOptions, type RootLogger } from "./pino-logger.ts";
