/** The hashing port: cryptographic digests, for ids and snapshot trailers. */
export interface Digest {
  update(bytes: Uint8Array): void;
  /** The digest of everything so far; ends the object. */
  finish(): Uint8Array;
}

export type NewDigest = (algorithm: "sha1" | "sha256") => Digest;
