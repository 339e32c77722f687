// Membership changes against a plain model of etcd's rules; two machines that get the same entries stay equal, one of
// them stopped and opened again in between; what raft is told agrees with what is stored.
import { expect, test } from "bun:test";
import fc from "fast-check";
import { FaultDisk } from "../../test/disk/fault-disk.ts";
import type { MembershipChange } from "../raft/index.ts";
import { encodeMembershipEntry, type MembershipEntry } from "./membership-entry.ts";
import { MachineBench } from "./testing/machine-bench.ts";
import { membershipEntry } from "./testing/random-commands.ts";

const EXISTS = "etcdserver: member ID already exist";
const URL_EXISTS = "etcdserver: Peer URLs already exists";
const NOT_FOUND = "etcdserver: member not found";
const NOT_LEARNER = "etcdserver: can only promote a learner member";
const TOO_MANY = "etcdserver: too many learner members in cluster";
const NOT_STARTED = "etcdserver: re-configuration failed due to not enough started members";

type Request = Omit<MembershipEntry, "origin" | "requestId">;

interface ModelMember {
  urls: readonly string[];
  name: string;
  isLearner: boolean;
}

/** The rules once more, as plainly as they can be said. */
class Model {
  readonly members = new Map<bigint, ModelMember>();
  readonly removed = new Set<bigint>();

  /** The error, or null for a change that was made. */
  apply({ change, member, learnersMax }: Request): string | null {
    const { id, peerUrls: urls, name } = member;
    const known = this.members.get(id);
    const others = [...this.members].filter(([other]) => other !== id).map(([, each]) => each);
    const isTaken = others.some((each) => each.urls.some((url) => urls.includes(url)));
    if (this.removed.has(id)) return NOT_FOUND;
    if (change === "add-voter" || change === "add-learner") {
      const isLearner = change === "add-learner";
      if (known) return EXISTS;
      if (isTaken) return URL_EXISTS;
      if (isLearner && others.filter((each) => each.isLearner).length >= learnersMax) {
        return TOO_MANY;
      }
      this.members.set(id, { urls, name, isLearner });
      return null;
    }
    if (!known) return NOT_FOUND;
    if (change === "update") {
      if (isTaken) return URL_EXISTS;
      known.urls = urls;
    } else if (change === "promote") {
      if (!known.isLearner) return NOT_LEARNER;
      known.isLearner = false;
    } else {
      if (!known.isLearner && others.every((each) => each.isLearner)) return NOT_STARTED;
      this.members.delete(id);
      this.removed.add(id);
    }
    return null;
  }
}

function apply(bench: MachineBench, index: number, request: Request): void {
  const data = encodeMembershipEntry({ ...request, origin: 1, requestId: 1 });
  bench.apply({ term: 1, index, kind: 1, data });
}

function checkAgainst(model: Model, bench: MachineBench): void {
  expect(bench.membership.members().map(({ id, ...rest }) => [id, rest])).toEqual(
    [...model.members]
      .sort(([a], [b]) => (a < b ? -1 : 1))
      .map(([id, { urls, name, isLearner }]) => [
        id,
        { peerUrls: urls, name, clientUrls: [], isLearner },
      ]) as never,
  );
  expect(bench.membership.removedIds().sort()).toEqual([...model.removed].sort());
}

/** Raft's view: who votes and who learns. */
function tellRaft(roles: Map<bigint, string>, { kind, member }: MembershipChange): void {
  if (kind === "remove") roles.delete(member);
  else if (kind !== "update") roles.set(member, kind);
}

test("membership changes follow etcd's rules, alike on every machine", () => {
  const seen = new Set<string>();
  fc.assert(
    fc.property(fc.array(membershipEntry, { maxLength: 40 }), fc.nat(40), (requests, restart) => {
      const benches = [new MachineBench(new FaultDisk()), new MachineBench(new FaultDisk())];
      const model = new Model();
      const roles = new Map<bigint, string>();
      requests.forEach((request, i) => {
        if (i === restart) {
          benches[1]!.database.commitNow();
          benches[1]!.open();
        }
        const before = benches[0]!.state().filter((line) => line.startsWith("members"));
        for (const bench of benches) apply(bench, i + 1, request);
        const error = model.apply(request);
        seen.add(error ?? request.change);
        const change = benches[0]!.changes.get(i + 1);
        expect(change === null).toBe(error !== null);
        if (error !== null) {
          expect(benches[0]!.replies.get(i + 1)).toContain(error);
          const after = benches[0]!.state().filter((line) => line.startsWith("members"));
          expect(after).toEqual(before);
        } else {
          tellRaft(roles, change as MembershipChange);
        }
        checkAgainst(model, benches[0]!);
      });
      const expected = [...model.members].map(([id, { isLearner }]) => [id, isLearner]);
      expect(new Map([...roles].map(([id, role]) => [id, role === "add-learner"]))).toEqual(
        new Map(expected as never),
      );
      for (const bench of benches) bench.settle();
      expect(benches[1]!.state()).toEqual(benches[0]!.state());
      expect(benches[1]!.replies).toEqual(benches[0]!.replies);
      benches[0]!.open();
      checkAgainst(model, benches[0]!);
    }),
    { numRuns: 150 },
  );
  const errors = [EXISTS, URL_EXISTS, NOT_FOUND, NOT_LEARNER, TOO_MANY, NOT_STARTED];
  const changes = ["add-voter", "add-learner", "promote", "remove", "update"];
  expect([...seen].sort()).toEqual([...errors, ...changes].sort());
});

test("a promoted or updated member keeps its name, its client URLs and its role", () => {
  const bench = new MachineBench(new FaultDisk());
  const member = (id: bigint, url: string) => ({
    id,
    peerUrls: [url],
    name: "",
    clientUrls: [],
    isLearner: false,
  });
  apply(bench, 1, { change: "add-voter", member: member(1n, "http://p:1"), learnersMax: 1 });
  apply(bench, 2, { change: "add-learner", member: member(2n, "http://p:2"), learnersMax: 1 });
  bench.membership.setAttributes(2n, "two", ["http://c:2"]);
  apply(bench, 3, { change: "update", member: member(2n, "http://p:3"), learnersMax: 0 });
  const attributes = { name: "two", clientUrls: ["http://c:2"] };
  expect(bench.membership.member(2n)).toEqual({
    ...{ id: 2n, peerUrls: ["http://p:3"], isLearner: true },
    ...attributes,
  });
  apply(bench, 4, { change: "promote", member: member(2n, "http://p:9"), learnersMax: 0 });
  expect(bench.membership.member(2n)).toEqual({
    ...{ id: 2n, peerUrls: ["http://p:3"], isLearner: false },
    ...attributes,
  });
});

test("a log that holds no membership change where one should be is refused", () => {
  const bench = new MachineBench(new FaultDisk());
  const entry = { term: 1, index: 1, kind: 1, data: new Uint8Array([1, 2]) };
  expect(() => bench.apply(entry)).toThrow("holds no membership change");
});
