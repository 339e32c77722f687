/**
 * Serves one HTTP/2 request that is not gRPC by the fetch handler: the stream becomes a Request with a streaming
 * body, the Response goes back with its body as fast as the client's window lets it. Used for the JSON gateway
 * and the pages beside it; speed is not the point here.
 */
import type { Logger } from "../io/index.ts";
import {
  announcedBytes,
  type FetchHandler,
  isConnectionField,
  type RequestInfo,
  requestUrl,
  SMALL_ANSWER_BYTES,
} from "./fetch-handler.ts";
import {
  ErrorCode,
  type Http2Stream,
  type RequestHead,
  type StreamConsumer,
} from "./http2/index.ts";

const BODY_HIGH_WATER_BYTES = 64 * 1024;

export class FetchStream implements StreamConsumer {
  readonly #stream: Http2Stream;
  readonly #logger: Logger;
  readonly #abort = new AbortController();
  #body: ReadableStreamDefaultController<Uint8Array> | null = null;
  #owedBytes = 0;
  #wake: (() => void) | null = null;

  constructor(stream: Http2Stream, logger: Logger) {
    this.#stream = stream;
    this.#logger = logger;
  }

  async serve(head: RequestHead, fetch: FetchHandler, info: RequestInfo): Promise<void> {
    const stream = this.#stream;
    try {
      const request = this.#request(head, info);
      const response =
        request === null
          ? new Response("bad request", { status: 400 })
          : await fetch(request, info);
      await this.#send(response, head.method === "HEAD");
    } catch (error) {
      if (stream.dead) return;
      this.#logger.error("failed to serve HTTP request", { path: head.path, error: String(error) });
      if (stream.headersSent) stream.reset(ErrorCode.InternalError);
      else stream.sendHeaders([":status", "500"], true);
    }
  }

  #request(head: RequestHead, info: RequestInfo): Request | null {
    const scheme = info.isTls ? "https" : "http";
    const url = requestUrl(scheme, head.authority || (head.field("host") ?? ""), head.path);
    if (url === null) return null;
    const headers = new Headers();
    for (let i = 0; i < head.fields.length; i += 2) {
      headers.append(head.fields[i]!, head.fields[i + 1]!);
    }
    if (head.authority !== "" && !headers.has("host")) headers.set("host", head.authority);
    const { method } = head;
    const { signal } = this.#abort;
    if (this.#stream.remoteClosed || method === "GET" || method === "HEAD") {
      return new Request(url, { method, headers, signal });
    }
    return new Request(url, { method, headers, signal, body: this.#bodyStream() });
  }

  #bodyStream(): ReadableStream<Uint8Array> {
    return new ReadableStream<Uint8Array>(
      {
        start: (controller) => {
          this.#body = controller;
        },
        pull: () => this.#payOwed(),
        cancel: () => {
          this.#body = null;
          this.#payOwed();
        },
      },
      { highWaterMark: BODY_HIGH_WATER_BYTES, size: (chunk) => chunk?.length ?? 0 },
    );
  }

  #payOwed(): void {
    if (this.#owedBytes === 0) return;
    const bytes = this.#owedBytes;
    this.#owedBytes = 0;
    this.#stream.connection.creditStream(this.#stream, bytes);
  }

  async #send(response: Response, headOnly: boolean): Promise<void> {
    const stream = this.#stream;
    const fields = [":status", String(response.status)];
    response.headers.forEach((value, name) => {
      if (!isConnectionField(name)) fields.push(name, value);
    });
    if (headOnly || response.body === null) {
      stream.sendHeaders(fields, true);
      return;
    }
    const bytes = announcedBytes(response);
    if (bytes >= SMALL_ANSWER_BYTES && !stream.connection.answers.allows(bytes)) {
      // Not refused: that would say that nothing was done.
      stream.reset(ErrorCode.EnhanceYourCalm);
      await response.body.cancel();
      return;
    }
    stream.sendHeaders(fields);
    const reader = response.body.getReader();
    for (;;) {
      const { done, value } = await reader.read();
      if (stream.dead) {
        await reader.cancel();
        return;
      }
      if (done) break;
      stream.sendBytes(value, 0, value.length);
      if (stream.isFull()) {
        await new Promise<void>((resolve) => {
          this.#wake = resolve;
        });
      }
    }
    stream.finish(null);
  }

  onData(bytes: Buffer, start: number, end: number): void {
    const stream = this.#stream;
    stream.connection.creditConnection(end - start);
    this.#owedBytes += end - start;
    if (this.#body === null) {
      this.#payOwed();
      return;
    }
    this.#body.enqueue(new Uint8Array(bytes.subarray(start, end)));
    if ((this.#body.desiredSize ?? 0) > 0) this.#payOwed();
  }

  onEndStream(): void {
    this.#body?.close();
    this.#body = null;
  }

  onReset(): void {
    this.#body?.error(new Error("request aborted"));
    this.#body = null;
    this.#abort.abort();
    this.onWritable();
  }

  onWritable(): void {
    const wake = this.#wake;
    this.#wake = null;
    wake?.();
  }
}
