/** The body of a unary request, up to a bound. */
import { concatBytes, EMPTY_BYTES } from "../../base/bytes.ts";

/** The body, or how many bytes of a too long one were seen. */
export async function readBody(
  request: Request,
  bodyBytesMax: number,
): Promise<Uint8Array | number> {
  const { body } = request;
  if (body === null) return EMPTY_BYTES;
  const announced = request.headers.get("content-length");
  if (announced !== null) {
    const length = Number(announced);
    if (length > bodyBytesMax) {
      body.cancel().catch(() => {});
      return length;
    }
    return request.bytes();
  }
  return readChunks(body, bodyBytesMax);
}

async function readChunks(
  body: ReadableStream<Uint8Array>,
  bodyBytesMax: number,
): Promise<Uint8Array | number> {
  const parts: Uint8Array[] = [];
  let length = 0;
  const reader = body.getReader();
  for (;;) {
    const { done, value } = await reader.read();
    if (done) return concatBytes(parts);
    length += value.length;
    if (length > bodyBytesMax) {
      reader.cancel().catch(() => {});
      return length;
    }
    parts.push(value);
  }
}
