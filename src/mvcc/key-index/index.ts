export {
  ENTRY_CHUNK_MASK,
  ENTRY_WORDS,
  LEASED_BIT,
  REVISION_LIMIT,
  TOMBSTONE_BIT,
} from "./entry-pool.ts";
export { CHUNK_UNITS, PLAIN_KEY_BYTES_MAX } from "./key-arena.ts";
export { KeyIndex, type KeyIndexOptions } from "./key-index.ts";
export type { SortedLoad } from "./sorted-load.ts";
