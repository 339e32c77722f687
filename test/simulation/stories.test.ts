// What the simulator once found, told again step by step.
import { expect, test } from "bun:test";
import { ClientCall } from "./client-call.ts";
import { QuietCluster } from "./quiet-cluster.ts";
import { initialClusterOf } from "./sim-cluster.ts";

test("an idle member that was alone looks after the one that is added, without any client", () => {
  const whole = new QuietCluster(1);
  whole.start();
  whole.rest(10_000);
  const first = whole.cluster.members[0]!;
  let added = false;
  first.process.input(0, () =>
    first.services!.cluster.memberAdd(
      { peerURLs: ["http://m2.test:2380"], isLearner: false },
      new ClientCall((_response, error) => {
        expect(error).toBeNull();
        added = true;
      }) as never,
    ),
  );
  whole.until("the member is added", () => added);
  whole.rest(3000);
  const { membership } = first.member!.state;
  const remote = {
    clusterId: first.member!.clusterId,
    members: membership.members(),
    versions: new Map(membership.members().map(({ id }) => [id, membership.clusterVersion()])),
    addresses: new Map<string, string>(),
  };
  const initialCluster = initialClusterOf(["m1", "m2"]);
  const second = whole.cluster.addMachine({ kind: "join", initialCluster, remote });
  second.start();
  whole.until("the second is ready", () => second.isReady);
});
