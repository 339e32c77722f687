/** What concerns one member: use a client with that member as its only endpoint (Client.only). */
import type {
  AlarmRequestInit,
  AlarmResponse,
  DefragmentResponse,
  HashKVRequestInit,
  HashKVResponse,
  HashResponse,
  MoveLeaderRequestInit,
  MoveLeaderResponse,
  SnapshotResponse,
  StatusResponse,
} from "../api/index.ts";
import type { Caller } from "./caller.ts";
import { MessageQueue } from "./message-queue.ts";
import type { CallOptions } from "./options.ts";

export class MaintenanceClient {
  readonly #caller: Caller;

  constructor(caller: Caller) {
    this.#caller = caller;
  }

  alarm(request: AlarmRequestInit, options?: CallOptions): Promise<AlarmResponse> {
    const kind = (request.action ?? 0) === 0 ? "read" : "write";
    return this.#caller.unary("/etcdserverpb.Maintenance/Alarm", request, kind, options);
  }

  status(options?: CallOptions): Promise<StatusResponse> {
    return this.#caller.unary("/etcdserverpb.Maintenance/Status", {}, "read", options);
  }

  defragment(options?: CallOptions): Promise<DefragmentResponse> {
    return this.#caller.unary("/etcdserverpb.Maintenance/Defragment", {}, "write", options);
  }

  hash(options?: CallOptions): Promise<HashResponse> {
    return this.#caller.unary("/etcdserverpb.Maintenance/Hash", {}, "read", options);
  }

  hashKv(request: HashKVRequestInit, options?: CallOptions): Promise<HashKVResponse> {
    return this.#caller.unary("/etcdserverpb.Maintenance/HashKV", request, "read", options);
  }

  moveLeader(request: MoveLeaderRequestInit, options?: CallOptions): Promise<MoveLeaderResponse> {
    return this.#caller.unary("/etcdserverpb.Maintenance/MoveLeader", request, "write", options);
  }

  /** The member's database in pieces, then its SHA-256; reading slower than the member sends is fine. */
  async snapshot(options?: CallOptions): Promise<MessageQueue<SnapshotResponse>> {
    const queue = new MessageQueue<SnapshotResponse>();
    const stream = await this.#caller.stream(
      "/etcdserverpb.Maintenance/Snapshot",
      {
        onMessage: (message: SnapshotResponse) => queue.push(message),
        onClose: (error) => queue.end(error),
      },
      options,
    );
    queue.attach(stream);
    stream.send({});
    stream.endSending();
    return queue;
  }
}
