export { REVISION_LIMIT, TOMBSTONE_BIT } from "./entry-pool.ts";
export { KeyIndex, type KeyIndexOptions } from "./key-index.ts";
