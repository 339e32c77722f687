import type { NewDigest } from "../digest.ts";

/** Digests by the runtime's native implementation. */
export const newBunDigest: NewDigest = (algorithm) => {
  const hasher = new Bun.CryptoHasher(algorithm);
  return {
    update(bytes) {
      hasher.update(bytes);
    },
    finish() {
      return new Uint8Array(hasher.digest());
    },
  };
};
