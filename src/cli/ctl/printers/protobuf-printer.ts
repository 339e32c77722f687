/** The answer as it came over the wire, without a newline. */
import * as wire from "../../../api/index.ts";
import type { DisarmedAlarms, Printer } from "../printer.ts";
import { unsupported } from "./unsupported.ts";

export class ProtobufPrinter implements Printer {
  range(response: wire.RangeResponse): Uint8Array {
    return encoded(wire.encodeRangeResponse, response);
  }

  put(response: wire.PutResponse): Uint8Array {
    return encoded(wire.encodePutResponse, response);
  }

  del(response: wire.DeleteRangeResponse): Uint8Array {
    return encoded(wire.encodeDeleteRangeResponse, response);
  }

  txn(response: wire.TxnResponse): Uint8Array {
    return encoded(wire.encodeTxnResponse, response);
  }

  /** Without the watch id, which means nothing outside the stream. */
  watch(response: wire.WatchResponse): Uint8Array {
    return encoded(wire.encodeWatchResponse, { ...response, watch_id: 0, cancel_reason: "" });
  }

  leaseGrant(response: wire.LeaseGrantResponse): Uint8Array {
    return encoded(wire.encodeLeaseGrantResponse, response);
  }

  leaseRevoke(_id: bigint, response: wire.LeaseRevokeResponse): Uint8Array {
    return encoded(wire.encodeLeaseRevokeResponse, response);
  }

  leaseTimeToLive(response: wire.LeaseTimeToLiveResponse): Uint8Array {
    return encoded(wire.encodeLeaseTimeToLiveResponse, response);
  }

  leaseList(response: wire.LeaseLeasesResponse): Uint8Array {
    return encoded(wire.encodeLeaseLeasesResponse, response);
  }

  leaseKeepAlive(response: wire.LeaseKeepAliveResponse): Uint8Array {
    return encoded(wire.encodeLeaseKeepAliveResponse, response);
  }

  memberList(response: wire.MemberListResponse): Uint8Array {
    return encoded(wire.encodeMemberListResponse, response);
  }

  memberAdd(response: wire.MemberAddResponse): Uint8Array {
    return encoded(wire.encodeMemberAddResponse, response);
  }

  memberRemove(_id: bigint, response: wire.MemberRemoveResponse): Uint8Array {
    return encoded(wire.encodeMemberRemoveResponse, response);
  }

  memberUpdate(_id: bigint, response: wire.MemberUpdateResponse): Uint8Array {
    return encoded(wire.encodeMemberUpdateResponse, response);
  }

  memberPromote(_id: bigint, response: wire.MemberPromoteResponse): Uint8Array {
    return encoded(wire.encodeMemberPromoteResponse, response);
  }

  alarms(response: wire.AlarmResponse | DisarmedAlarms): Uint8Array {
    return encoded(wire.encodeAlarmResponse, response);
  }

  endpointHealth(): { out: string; errors: string } {
    return unsupported("protobuf");
  }

  endpointStatus(): Uint8Array {
    return unsupported("protobuf");
  }

  endpointHash(): Uint8Array {
    return unsupported("protobuf");
  }

  moveLeader(_from: bigint, _to: bigint, response: wire.MoveLeaderResponse): Uint8Array {
    return encoded(wire.encodeMoveLeaderResponse, response);
  }
}

function encoded<Message>(
  encode: (writer: wire.ProtoWriter, message: Message) => void,
  message: Message,
): Uint8Array {
  const writer = new wire.ProtoWriter();
  encode(writer, message);
  return writer.finish();
}
