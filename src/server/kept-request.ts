/**
 * Requests that wait. What an edge hands over are views of whatever arrived in one read of a socket: they are valid
 * until the handler returns, and each keeps all of that read alive. A request that waits longer gets bytes of its own.
 */
import {
  decodeTxnRequest,
  encodeTxnRequest,
  ProtoWriter,
  type RangeRequest,
  type TxnRequest,
} from "../api/index.ts";
import { copyBytes } from "../base/bytes.ts";

export function keepRange(request: RangeRequest): void {
  request.key = copyBytes(request.key);
  if (request.range_end.length > 0) request.range_end = copyBytes(request.range_end);
}

export function keepTxn(request: TxnRequest): TxnRequest {
  const writer = new ProtoWriter();
  encodeTxnRequest(writer, request);
  return decodeTxnRequest(writer.finish());
}
