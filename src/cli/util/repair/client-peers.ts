/** The other members through their client endpoints. */
import { AlarmType, EtcdError, errUnhealthy } from "../../../api/index.ts";
import type { Member } from "../../../cluster/index.ts";
import type { DiskFile } from "../../../io/index.ts";
import { errorText, type Session } from "../../ctl/session.ts";
import { DIGEST_BYTES, writeSnapshot } from "../../ctl/write-snapshot.ts";
import type { PeerStatus, RepairPeers } from "./peers.ts";
import { RepairProblem } from "./repair-problem.ts";

const PATIENCE_MS = 30_000;
const RETRY_MS = 500;
const CORRUPT_ALARM = /memberID:(\d+) alarm:CORRUPT/;

export class ClientPeers implements RepairPeers {
  readonly #session: Session;

  constructor(session: Session) {
    this.#session = session;
  }

  async statuses(): Promise<PeerStatus[]> {
    const asked = this.#session.endpoints.map((endpoint) => this.#status(endpoint));
    return (await Promise.all(asked)).filter((status) => status !== null);
  }

  async members(): Promise<Member[]> {
    const { client, bounded } = this.#session;
    const { members } = await orRefuse("list the members", () =>
      client.cluster.memberList({ linearizable: true }, bounded),
    );
    return members.map(
      ({ ID: id, peerURLs: peerUrls, clientURLs: clientUrls, name, isLearner }) => ({
        ...{ id, peerUrls, clientUrls, name, isLearner },
      }),
    );
  }

  async remove(memberId: bigint): Promise<void> {
    const { client, bounded } = this.#session;
    try {
      await this.#patiently(() => client.cluster.memberRemove({ ID: memberId }, bounded));
    } catch (error) {
      if (!(error instanceof EtcdError)) throw error;
      const isGone = !(await this.members()).some(({ id }) => id === memberId);
      if (!isGone) throw new RepairProblem(`failed to remove the member: ${errorText(error)}`);
    }
  }

  async add(peerUrls: readonly string[], isLearner: boolean): Promise<bigint> {
    const { client, bounded } = this.#session;
    const { member } = await orRefuse("add the member", () =>
      this.#patiently(() => client.cluster.memberAdd({ peerURLs: peerUrls, isLearner }, bounded)),
    );
    if (member === undefined)
      throw new RepairProblem("the cluster did not tell the new member's id");
    return member.ID;
  }

  async fetchDatabase(endpoint: string, file: DiskFile): Promise<void> {
    const { client, context } = this.#session;
    const one = client.only(endpoint);
    try {
      const writtenBytes = await orRefuse("fetch a snapshot", async () => {
        await one.logIn();
        return writeSnapshot(context.newDigest, file, await one.maintenance.snapshot());
      });
      file.truncate(writtenBytes - DIGEST_BYTES);
    } finally {
      one.close();
    }
  }

  /** Members that were connected a moment ago only are no majority yet; then nothing was changed. */
  async #patiently<Answer>(call: () => Promise<Answer>): Promise<Answer> {
    const { clock } = this.#session.context;
    const untilMs = clock.monotonicMs() + PATIENCE_MS;
    for (;;) {
      try {
        return await call();
      } catch (error) {
        const isUnhealthy = error instanceof EtcdError && error.message === errUnhealthy.message;
        if (!isUnhealthy || clock.monotonicMs() > untilMs) throw error;
      }
      await new Promise<void>((resolve) => clock.setTimer(RETRY_MS, resolve));
    }
  }

  async #status(endpoint: string): Promise<PeerStatus | null> {
    const { client, bounded, context } = this.#session;
    const one = client.only(endpoint);
    try {
      await one.logIn();
      const status = await one.maintenance.status(bounded);
      if (status.header === undefined) return null;
      return {
        endpoint,
        memberId: status.header.member_id,
        clusterId: status.header.cluster_id,
        appliedIndex: status.raftAppliedIndex,
        isLearner: status.isLearner,
        hasLeader: status.leader !== 0n,
        corrupt: status.errors.flatMap(corruptMember),
      };
    } catch (error) {
      if (!(error instanceof EtcdError)) throw error;
      context.io.stderr.write(`${endpoint} does not answer: ${errorText(error)}\n`);
      return null;
    } finally {
      one.close();
    }
  }
}

/** An alarm in the text form of Status; zero is left out there. */
function corruptMember(text: string): bigint[] {
  if (!text.includes(`alarm:${nameOf(AlarmType.CORRUPT)}`)) return [];
  return [BigInt(CORRUPT_ALARM.exec(text)?.[1] ?? "0")];
}

function nameOf(type: number): string {
  return Object.entries(AlarmType).find(([, value]) => value === type)![0];
}

async function orRefuse<Answer>(what: string, call: () => Promise<Answer>): Promise<Answer> {
  try {
    return await call();
  } catch (error) {
    if (!(error instanceof EtcdError)) throw error;
    throw new RepairProblem(`failed to ${what}: ${errorText(error)}`);
  }
}
