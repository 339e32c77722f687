/** A gRPC server whose answers a test decides, call by call; it can also cut connections in the middle of calls. */
import {
  createServer,
  type Http2Server,
  type ServerHttp2Session,
  type ServerHttp2Stream,
} from "node:http2";
import type { AddressInfo } from "node:net";
import { METHODS, type MethodRow, ProtoWriter } from "../../api/index.ts";
import { FrameReader } from "../frame-reader.ts";

const PREFIX_BYTES = 5;

export class FakeCall {
  readonly headers: Readonly<Record<string, unknown>>;
  readonly #stream: ServerHttp2Stream;
  readonly #method: MethodRow;
  #answered = false;

  constructor(stream: ServerHttp2Stream, method: MethodRow, headers: Record<string, unknown>) {
    this.#stream = stream;
    this.#method = method;
    this.headers = headers;
  }

  send(message: unknown): void {
    this.#begin();
    const writer = new ProtoWriter();
    writer.position = PREFIX_BYTES;
    this.#method.encodeResponse(writer, message as never);
    const frame = writer.finish();
    new DataView(frame.buffer).setUint32(1, frame.length - PREFIX_BYTES);
    this.#stream.write(frame);
  }

  /** Ends the call with a status in trailers. */
  finish(code: number, message = ""): void {
    this.#begin();
    this.#stream.on("wantTrailers", () =>
      this.#stream.sendTrailers({ "grpc-status": String(code), "grpc-message": message }),
    );
    this.#stream.end();
  }

  answer(message: unknown): void {
    this.send(message);
    this.finish(0);
  }

  /** Cuts the connection that carries this call. */
  cut(): void {
    this.#stream.session?.destroy();
  }

  get gone(): boolean {
    return this.#stream.destroyed || this.#stream.closed;
  }

  #begin(): void {
    if (this.#answered) return;
    this.#answered = true;
    this.#stream.respond(
      { ":status": 200, "content-type": "application/grpc" },
      { waitForTrailers: true },
    );
  }
}

/** Called for every message of every call; the name is the method's, such as Put. */
export type OnRequest = (name: string, request: never, call: FakeCall) => void;

export class FakeMember {
  readonly endpoint: string;
  readonly #server: Http2Server;
  readonly #sessions: Set<ServerHttp2Session>;

  private constructor(server: Http2Server, sessions: Set<ServerHttp2Session>) {
    this.#server = server;
    this.#sessions = sessions;
    this.endpoint = `127.0.0.1:${(server.address() as AddressInfo).port}`;
  }

  static start(onRequest: OnRequest): Promise<FakeMember> {
    const server = createServer();
    const sessions = new Set<ServerHttp2Session>();
    server.on("session", (session) => {
      sessions.add(session);
      session.on("error", () => {});
      session.on("close", () => sessions.delete(session));
    });
    server.on("stream", (stream: ServerHttp2Stream, headers: Record<string, unknown>) => {
      stream.on("error", () => {});
      const method = METHODS.find((row) => row.path === headers[":path"])!;
      const call = new FakeCall(stream, method, headers);
      const reader = new FrameReader(1 << 24, (message) =>
        onRequest(method.name, method.decodeRequest(message) as never, call),
      );
      stream.on("data", (chunk: Uint8Array) => void reader.push(chunk));
    });
    return new Promise((resolve) =>
      server.listen(0, "127.0.0.1", () => resolve(new FakeMember(server, sessions))),
    );
  }

  stop(): void {
    for (const session of this.#sessions) session.destroy();
    this.#server.close();
  }
}
