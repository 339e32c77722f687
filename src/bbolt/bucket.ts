/** What callers hold: a bucket to read, a bucket to change, and a cursor over either. */
export interface BucketReader {
  /**
   * The value of a key; undefined when there is none or the key names a bucket. A view into memory
   * that is never written to again: it stays valid as long as it is referenced.
   */
  get(key: Uint8Array): Uint8Array | undefined;
  bucket(name: Uint8Array): BucketReader | undefined;
  cursor(): Cursor;
  sequence(): number;
}

export interface BucketWriter extends BucketReader {
  /** How full pages are made when a node is cut: 0.5 unless set; 0.9 suits ascending keys. */
  fillPercent: number;
  /** Copies key and value. */
  put(key: Uint8Array, value: Uint8Array): void;
  /** False when there was none. */
  delete(key: Uint8Array): boolean;
  bucket(name: Uint8Array): BucketWriter | undefined;
  /** The name must be free. */
  createBucket(name: Uint8Array): BucketWriter;
  createBucketIfMissing(name: Uint8Array): BucketWriter;
  /** The bucket must exist; it goes with everything in it. */
  deleteBucket(name: Uint8Array): void;
  setSequence(sequence: number): void;
}

/**
 * Walks a bucket's entries in key order. The moving calls say whether there is an entry; key() and
 * value() belong to it. Changing the bucket is allowed in between: the cursor finds its place again
 * by key.
 */
export interface Cursor {
  first(): boolean;
  last(): boolean;
  /** To the first entry with this key or a later one. */
  seek(key: Uint8Array): boolean;
  next(): boolean;
  previous(): boolean;
  key(): Uint8Array;
  value(): Uint8Array;
  /** The entry is a bucket; its value is the raw header (and inline page). */
  isBucket(): boolean;
}
