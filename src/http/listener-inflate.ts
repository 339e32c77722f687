/** Bounded gunzip for compressed gRPC messages. */
import { gunzipSync } from "node:zlib";

/** The unpacked bytes; null when damaged, "too-large" when there would be more than `bytesMax`. */
export function inflateGzip(bytes: Uint8Array, bytesMax: number): Uint8Array | null | "too-large" {
  try {
    return gunzipSync(bytes, { maxOutputLength: bytesMax });
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === "ERR_BUFFER_TOO_LARGE" ? "too-large" : null;
  }
}
