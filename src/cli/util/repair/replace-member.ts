/**
 * A member whose log is damaged does not know any more whom it voted for and which entries it acknowledged. Coming
 * back under its id without that could elect a second leader of one term, or lose writes that its acknowledgement
 * made the majority for. So it does not come back: the cluster removes it and adds a new member with the same peer
 * URLs, which has promised nothing. Its data comes from the leader.
 *
 * Order: everything is checked; a plan is written; removed; added; the plan knows the new id; the damaged files go
 * aside; the new member's files are made; the plan goes. Each step can be run again.
 */
import { hexId, type Member } from "../../../cluster/index.ts";
import { Database } from "../../../database/index.ts";
import { parentDirectory } from "../../../io/bun/index.ts";
import type { PeerAddress } from "../../../peer/index.ts";
import { writeJoinRecord } from "../../../server/index.ts";
import { verifyLog, WalDamage, WriteAheadLog } from "../../../wal/index.ts";
import type { Inspection } from "./inspect.ts";
import type { PeerStatus } from "./peers.ts";
import { type RepairPlan, readPlan, removePlan, writePlan } from "./repair-plan.ts";
import { RepairProblem } from "./repair-problem.ts";
import { type RepairParts, timeText } from "./replace-database.ts";
import { survey } from "./survey.ts";

const PAGE_CACHE_BYTES = 1 << 20;

/** `name` says who this was where the log does not tell; else it is "". Throws RepairProblem, DiskError. */
export async function replaceMember(
  parts: RepairParts,
  inspection: Inspection,
  name: string,
): Promise<void> {
  const { peers, disk, paths, say } = parts;
  const known = inspection.log.kind === "missing" ? null : inspection.log.report?.metadata;
  const statuses = await survey(peers, known ?? null);
  const self = identify(await peers.members(), known?.memberId ?? null, name);
  refuseRunning(statuses, self);
  requireQuorum(await peers.members(), statuses, self);
  const { id: oldMember, peerUrls, isLearner } = self;
  const { clusterId } = statuses[0]!;
  const plan = { clusterId, oldMember, newMember: 0n, name: self.name, peerUrls, isLearner };
  writePlan(disk, paths.dataDirectory, plan);
  say(`replacing member ${hexId(oldMember)} (${self.name}, ${peerUrls.join()})`);
  await goOn(parts, plan);
}

/** Takes up a replacement that was interrupted; false when there is none. */
export async function resumeReplacement(parts: RepairParts): Promise<boolean> {
  const plan = readPlan(parts.disk, parts.paths.dataDirectory);
  if (plan === null) return false;
  parts.say(`going on with the replacement of member ${hexId(plan.oldMember)}`);
  const { clusterId, oldMember: memberId } = plan;
  await survey(parts.peers, { clusterId, memberId });
  await goOn(parts, plan);
  return true;
}

async function goOn(parts: RepairParts, plan: RepairPlan): Promise<void> {
  const { disk, paths, say } = parts;
  const added = plan.newMember === 0n ? await addAgain(parts, plan) : plan;
  const members = await parts.peers.members();
  const self = members.find(({ id }) => id === added.newMember);
  if (self === undefined) {
    throw new RepairProblem(
      `member ${hexId(added.newMember)} was removed from the cluster in the meantime: remove ${paths.dataDirectory} ` +
        "and add the member again by hand",
    );
  }
  if (!isMade(parts, added)) {
    setAside(parts);
    const remotes = members.filter(({ id }) => id !== added.newMember);
    makeFiles(
      parts,
      added,
      remotes.map(({ id, peerUrls }) => ({ id, peerUrls })),
    );
  }
  removePlan(disk, paths.dataDirectory);
  say(
    `member ${hexId(added.newMember)} takes the place of ${hexId(added.oldMember)}: start it with its usual command, ` +
      "and the leader sends it the data",
  );
}

/** Out of the cluster and in again, under a new id. */
async function addAgain(parts: RepairParts, plan: RepairPlan): Promise<RepairPlan> {
  const { peers, disk, paths, say } = parts;
  await peers.remove(plan.oldMember);
  say(`the cluster removed member ${hexId(plan.oldMember)}`);
  const members = await peers.members();
  const urls = [...plan.peerUrls].sort().join();
  const present = members.find(({ peerUrls }) => [...peerUrls].sort().join() === urls);
  if (present !== undefined && present.name !== "") {
    throw new RepairProblem(
      `member ${hexId(present.id)} (${present.name}) has the peer URLs of this one and was started already`,
    );
  }
  // One that was never started is what an earlier run added.
  const newMember = present?.id ?? (await peers.add(plan.peerUrls, plan.isLearner));
  const next = { ...plan, newMember };
  writePlan(disk, paths.dataDirectory, next);
  say(`the cluster added member ${hexId(newMember)} with the same peer URLs`);
  return next;
}

function identify(members: readonly Member[], id: bigint | null, name: string): Member {
  if (id === null && name === "") {
    throw new RepairProblem(
      "the log does not tell which member this was: say so with --name. The cluster has " +
        members.map((member) => `${member.name} (${hexId(member.id)})`).join(", "),
    );
  }
  const found = members.filter((member) => (id === null ? member.name === name : member.id === id));
  const [self] = found;
  if (self === undefined || found.length > 1) {
    const wanted = id === null ? `named ${name}` : hexId(id);
    throw new RepairProblem(
      `the cluster has no member ${wanted}: it was removed, or never was one`,
    );
  }
  if (name !== "" && name !== self.name) {
    throw new RepairProblem(
      `the log is that of member ${hexId(self.id)}, whose name is ${self.name}, not ${name}`,
    );
  }
  return self;
}

function refuseRunning(statuses: readonly PeerStatus[], self: Member): void {
  const running = statuses.find(({ memberId }) => memberId === self.id);
  if (running === undefined) return;
  throw new RepairProblem(
    `member ${hexId(self.id)} is running at ${running.endpoint}: these cannot be its files`,
  );
}

/** Both changes need a majority; asking without one would leave open whether they happen some time. */
function requireQuorum(
  members: readonly Member[],
  statuses: readonly PeerStatus[],
  self: Member,
): void {
  const voters = members.filter((member) => !member.isLearner);
  const quorum = Math.floor(voters.length / 2) + 1;
  const ready = new Set(statuses.filter(({ hasLeader }) => hasLeader).map((s) => s.memberId));
  const answering = voters.filter(({ id }) => id !== self.id && ready.has(id)).length;
  if (answering >= quorum) return;
  throw new RepairProblem(
    `${answering} of ${voters.length} voting members answer at the endpoints given and know a leader, but it takes ` +
      `${quorum} to replace one. Name all others in --endpoints; where the majority is lost for good, restore a ` +
      "snapshot instead",
  );
}

/** Whether an earlier run got as far as the new member's log. */
function isMade({ disk, paths }: RepairParts, { newMember }: RepairPlan): boolean {
  if (!disk.exists(paths.walDirectory) || !disk.exists(paths.databasePath)) return false;
  try {
    const { verdict, metadata } = verifyLog(disk, paths.walDirectory);
    return verdict !== "damaged" && metadata?.memberId === newMember;
  } catch (error) {
    if (error instanceof WalDamage) return false;
    throw error;
  }
}

function setAside({ disk, clock, paths, say }: RepairParts): void {
  const suffix = `.damaged-${timeText(clock)}`;
  for (const directory of new Set([paths.walDirectory, paths.memberDirectory])) {
    const isInside = directory.startsWith(`${paths.memberDirectory}/`);
    if (isInside || !disk.exists(directory)) continue;
    disk.rename(directory, `${directory}${suffix}`);
    disk.syncDirectory(parentDirectory(directory));
    say(`kept the damaged files as ${directory}${suffix}`);
  }
}

/** The log last: from then on it says who this member is, and wins over every initial-* setting. */
function makeFiles(
  { disk, paths, walSegmentBytes: segmentBytes }: RepairParts,
  { newMember: memberId, clusterId }: RepairPlan,
  remotes: readonly PeerAddress[],
): void {
  const { dataDirectory, memberDirectory, snapshotDirectory, databasePath, walDirectory } = paths;
  disk.makeDirectory(snapshotDirectory);
  const database = Database.open({
    file: disk.open(databasePath, { create: true }),
    pageCacheBytes: PAGE_CACHE_BYTES,
    onFailure: (error) => {
      throw error;
    },
  });
  database.commitNow();
  database.close();
  for (const directory of [snapshotDirectory, memberDirectory, dataDirectory]) {
    disk.syncDirectory(directory);
  }
  writeJoinRecord(disk, memberDirectory, remotes);
  const options = { disk, directory: walDirectory, ...(segmentBytes && { segmentBytes }) };
  WriteAheadLog.create(options, { memberId, clusterId }).close();
}
