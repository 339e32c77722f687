/**
 * The line of streams that have queued bytes and window to send them. Each gets one frame and goes to the end of
 * the line, so that a long list does not hold up anybody's short answer.
 */

import type { Http2Connection } from "./connection.ts";
import { Flag, FRAME_HEADER_BYTES, FrameType, putFrameHeader } from "./frame.ts";
import type { Http2Stream } from "./stream.ts";

export class SendLine {
  #first: Http2Stream | null = null;
  #last: Http2Stream | null = null;

  get isEmpty(): boolean {
    return this.#first === null;
  }

  join(stream: Http2Stream): void {
    if (stream.inLine || stream.dead || stream.sendWindow <= 0 || stream.queuedBytes === 0) return;
    stream.inLine = true;
    stream.nextInLine = null;
    if (this.#last === null) this.#first = stream;
    else this.#last.nextInLine = stream;
    this.#last = stream;
  }

  /** Writes frames until the line is empty, the connection's window is used up or the output is full enough. */
  pump(connection: Http2Connection): void {
    const highWaterBytes = connection.limits.outputHighWaterBytes;
    while (
      this.#first !== null &&
      connection.sendWindow > 0 &&
      connection.out.position < highWaterBytes
    ) {
      const stream = this.#first;
      this.#first = stream.nextInLine;
      if (this.#first === null) this.#last = null;
      stream.inLine = false;
      stream.nextInLine = null;
      if (stream.dead || stream.sendWindow <= 0) continue;
      writeFrame(connection, stream);
      if (!stream.dead) this.join(stream);
    }
  }
}

function writeFrame(connection: Http2Connection, stream: Http2Stream): void {
  const queue = stream.queue!;
  const length = Math.min(
    queue.byteCount,
    connection.peerMaxFrameBytes,
    stream.sendWindow,
    connection.sendWindow,
  );
  const out = connection.beginWrite();
  out.reserve(FRAME_HEADER_BYTES + length);
  const ends = length === queue.byteCount && stream.finishing;
  const flags = ends && stream.trailers === null ? Flag.EndStream : 0;
  putFrameHeader(out.bytes, out.position, length, FrameType.Data, flags, stream.id);
  queue.take(length, out.bytes, out.position + FRAME_HEADER_BYTES);
  out.position += FRAME_HEADER_BYTES + length;
  stream.sendWindow -= length;
  connection.sendWindow -= length;
  connection.noteDequeued(stream, length);
  if (!ends) return;
  if (flags === 0) stream.sendEnd();
  else connection.closeLocal(stream);
}
