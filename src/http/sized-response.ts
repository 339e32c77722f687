/** An answer whose whole body is known: it says its length, so that HTTP/1.1 needs no chunks. */
export function sizedResponse(
  body: string,
  status: number,
  headers: Record<string, string>,
): Response {
  return new Response(body, {
    status,
    headers: { ...headers, "Content-Length": String(Buffer.byteLength(body)) },
  });
}
