/** The randomness port. */
export interface Random {
  /** Uniform in [0, 2^32). */
  uint32(): number;
  /** Fills the buffer with random bytes fit for tokens and ids. */
  fill(buffer: Uint8Array): void;
}
