/** Joins a member's numbers, the gRPC counters and the process's own into the metrics page. */

import type { PeerSample } from "../../api/index.ts";
import {
  CallDurations,
  createMetricsRenderer,
  type GrpcCallCounts,
  ProbeCounters,
} from "../../http/index.ts";
import { SocketPeerTransport } from "../../peer/index.ts";
import { type Member, sampleOf } from "../../server/index.ts";
import type { Config } from "./config.ts";
import { processSample } from "./process-sample.ts";

export interface MemberMetrics {
  readonly probes: ProbeCounters;
  /** null without --metrics extensive. */
  readonly durations: CallDurations | null;
  renderer(calls: GrpcCallCounts): () => string;
}

export function memberMetrics(member: Member, config: Config): MemberMetrics {
  const probes = new ProbeCounters();
  const durations = config.metrics === "extensive" ? new CallDurations() : null;
  return {
    probes,
    durations,
    renderer: (calls) =>
      createMetricsRenderer({
        source: {
          member: () => sampleOf(member),
          peers: () => peerSamples(member),
          process: processSample,
        },
        instruments: member.state.instruments,
        calls,
        durations,
        probes,
      }),
  };
}

function peerSamples(member: Member): PeerSample[] {
  const { transport } = member.options;
  if (!(transport instanceof SocketPeerTransport)) return [];
  return transport.statistics().map(({ member: memberId, isActive, counters }) => ({
    ...{ memberId, isActive },
    ...counters,
  }));
}
