/**
 * The gRPC side of one connection: who the peer is, the header blocks that are sent again and again, and the
 * bound on half-received messages.
 */
import { RepeatedBlock } from "../http2/index.ts";
import type { Peer } from "./call-plan.ts";
import type { PartialBudget } from "./message-assembler.ts";
import { GRPC_CONTENT_TYPE } from "./status.ts";

export class GrpcPeer implements Peer, PartialBudget {
  readonly name: string;
  readonly address: string;
  readonly bytesMax: number;
  usedBytes = 0;
  readonly headers = new RepeatedBlock([":status", "200", "content-type", GRPC_CONTENT_TYPE]);
  readonly okTrailers = new RepeatedBlock(["grpc-status", "0", "grpc-message", ""]);

  constructor(name: string, address: string, partialBytesMax: number) {
    this.name = name;
    this.address = address;
    this.bytesMax = partialBytesMax;
  }
}
