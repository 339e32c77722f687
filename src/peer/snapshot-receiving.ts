/**
 * Snapshots that arrive from one member: one at a time. A transfer outlives its connection, so that the next one goes
 * on where it stopped; another transfer takes its place. The last verdict is kept, for a sender that asks again
 * because the connection broke before it heard.
 *
 * A transfer is receiving (has a sink and takes chunks), finishing (everything is here, the sink makes it durable) or
 * finished (the verdict is known).
 */
import { crc32c } from "../base/crc32c.ts";
import { FRAME_ACKNOWLEDGE, FRAME_BEGIN, FRAME_CHUNK, FRAME_END, FRAME_RESUME } from "./frame.ts";
import { type ConnectionOwner, PeerConnection } from "./peer-connection.ts";
import type { PeerServices } from "./peer-services.ts";
import type { PeerSocket } from "./peer-socket.ts";
import {
  offsetFrame,
  readBegin,
  readChunk,
  readEnd,
  refuseFrame,
  resultFrame,
} from "./snapshot-codec.ts";
import type { PeerEvents, SnapshotSink, SnapshotTransfer } from "./types.ts";

interface Arrival {
  readonly transfer: SnapshotTransfer;
  /** Null before the first and between two connections. */
  sink: SnapshotSink | null;
  received: number;
  checksum: number;
  state: "receiving" | "finishing" | "finished";
  accepted: boolean;
}

/** All of one member's snapshot connections; the newest one counts. */
export class SnapshotReceiving {
  readonly member: bigint;
  readonly #services: PeerServices;
  readonly #events: PeerEvents;
  readonly #onVerdict: (accepted: boolean) => void;
  #arrival: Arrival | null = null;
  #channel: SnapshotChannel | null = null;
  #isEnded = false;

  constructor(
    member: bigint,
    services: PeerServices,
    events: PeerEvents,
    onVerdict: (accepted: boolean) => void,
  ) {
    this.member = member;
    this.#services = services;
    this.#events = events;
    this.#onVerdict = onVerdict;
  }

  accept(socket: PeerSocket, head: Uint8Array): void {
    this.drop();
    const channel = new SnapshotChannel(this, socket, this.#services);
    this.#channel = channel;
    channel.connection.receive(head);
  }

  /** Ends the connection; what came is kept by the sink. */
  drop(): void {
    const channel = this.#channel;
    if (channel === null) return;
    this.#channel = null;
    channel.connection.close();
    this.#suspend(channel.arrival);
  }

  check(): void {
    this.#channel?.check(this.#services.options.limits.silentChecksMax);
  }

  /** The transport stops: nobody is called any more. */
  end(): void {
    this.#isEnded = true;
    this.#channel?.connection.close();
    this.#channel = null;
  }

  begin(channel: SnapshotChannel, body: Uint8Array): string | null {
    const transfer = readBegin(body, this.member, this.#services.memberId);
    if (transfer === null) return "a malformed beginning of a snapshot";
    let arrival = this.#arrival;
    if (arrival === null || arrival.transfer.id !== transfer.id) {
      if (arrival?.state === "finishing") {
        channel.refuse("another snapshot is being installed");
        return null;
      }
      arrival = {
        transfer,
        sink: null,
        received: 0,
        checksum: 0,
        state: "receiving",
        accepted: false,
      };
      this.#arrival = arrival;
    }
    if (arrival.transfer.sizeBytes !== transfer.sizeBytes)
      return "a snapshot that changed its size";
    channel.arrival = arrival;
    if (arrival.state === "finished") channel.tell(arrival.accepted);
    else if (arrival.state === "finishing") channel.resume(arrival.received);
    else this.#open(channel, arrival);
    return null;
  }

  chunk(channel: SnapshotChannel, body: Uint8Array): string | null {
    const chunk = readChunk(body);
    const { arrival } = channel;
    if (chunk === null || arrival?.sink == null) return "a chunk out of place";
    if (arrival.state !== "receiving") return "a chunk behind the end";
    const end = chunk.offset + chunk.data.length;
    if (chunk.offset !== arrival.received || end > arrival.transfer.sizeBytes) {
      return `a chunk at ${chunk.offset} where ${arrival.received} of ${arrival.transfer.sizeBytes} are here`;
    }
    arrival.sink.write(chunk.data);
    arrival.checksum = crc32c(chunk.data, arrival.checksum);
    arrival.received = end;
    return null;
  }

  complete(channel: SnapshotChannel, body: Uint8Array): string | null {
    const end = readEnd(body);
    const { arrival } = channel;
    if (end === null || arrival === null) return "an end out of place";
    // The sender asks again after its connection broke; the answer comes when there is one.
    if (arrival.state !== "receiving") return null;
    const { sink, transfer } = arrival;
    if (
      sink === null ||
      end.sizeBytes !== transfer.sizeBytes ||
      arrival.received !== end.sizeBytes
    ) {
      return `an end at ${arrival.received} of ${transfer.sizeBytes} bytes`;
    }
    if (arrival.checksum !== end.checksum) {
      this.#forget(arrival);
      channel.refuse("the snapshot does not have the checksum it was sent with");
      return null;
    }
    arrival.state = "finishing";
    sink.finish((accepted) => this.#finished(arrival, accepted));
    return null;
  }

  closed(channel: SnapshotChannel): void {
    if (this.#channel !== channel) return;
    this.#channel = null;
    this.#suspend(channel.arrival);
  }

  #finished(arrival: Arrival, accepted: boolean): void {
    arrival.state = "finished";
    arrival.accepted = accepted;
    arrival.sink = null;
    if (this.#isEnded) return;
    this.#onVerdict(accepted);
    if (this.#channel?.arrival === arrival) this.#channel.tell(accepted);
  }

  #open(channel: SnapshotChannel, arrival: Arrival): void {
    const sink = this.#events.beginSnapshot(arrival.transfer);
    if (sink === null) {
      this.#forget(arrival);
      channel.refuse("the member does not take a snapshot now");
      return;
    }
    arrival.sink = sink;
    if (sink.receivedBytes === 0) {
      arrival.received = 0;
      arrival.checksum = 0;
    } else if (sink.receivedBytes !== arrival.received) {
      // Without the checksum of what is there, the whole could not be vouched for.
      this.#forget(arrival);
      channel.refuse("the beginning of the snapshot is not known any more");
      return;
    }
    channel.resume(arrival.received);
  }

  #forget(arrival: Arrival): void {
    this.#suspend(arrival);
    if (this.#arrival === arrival) this.#arrival = null;
  }

  #suspend(arrival: Arrival | null): void {
    if (arrival === null || arrival.state !== "receiving" || arrival.sink === null) return;
    const { sink } = arrival;
    arrival.sink = null;
    sink.suspend();
  }
}

/** One connection of a transfer. */
class SnapshotChannel implements ConnectionOwner {
  readonly connection: PeerConnection;
  arrival: Arrival | null = null;
  readonly #receiving: SnapshotReceiving;
  #acknowledged = -1;

  constructor(receiving: SnapshotReceiving, socket: PeerSocket, services: PeerServices) {
    this.#receiving = receiving;
    this.connection = new PeerConnection(services.connections, socket, this);
  }

  check(silentChecksMax: number): void {
    if (this.connection.isSilentFor(silentChecksMax)) this.connection.fail("the member is silent");
  }

  resume(received: number): void {
    this.#acknowledged = received;
    this.connection.offerFrame(offsetFrame(FRAME_RESUME, received), true);
  }

  tell(accepted: boolean): void {
    this.connection.offerFrame(resultFrame(accepted), true);
  }

  refuse(reason: string): void {
    this.arrival = null;
    this.connection.offerFrame(refuseFrame(reason), true);
  }

  onFrame(kind: number, body: Uint8Array): string | null {
    if (kind === FRAME_BEGIN && this.arrival === null) return this.#receiving.begin(this, body);
    if (kind === FRAME_CHUNK) return this.#receiving.chunk(this, body);
    if (kind === FRAME_END) return this.#receiving.complete(this, body);
    return `an unexpected frame of kind ${kind}`;
  }

  onChunkEnd(): void {
    const { arrival } = this;
    if (arrival?.state !== "receiving" || this.#acknowledged < 0) return;
    if (arrival.received === this.#acknowledged) return;
    this.#acknowledged = arrival.received;
    this.connection.offerFrame(offsetFrame(FRAME_ACKNOWLEDGE, arrival.received), true);
  }

  onPong(): void {}

  onClosed(): void {
    this.#receiving.closed(this);
  }
}
