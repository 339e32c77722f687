/** `repair`: what is wrong with the files of a stopped member, and with --from-peers what can be done about it. */
import { boolFlag, type Command, stringFlag } from "../../args/index.ts";
import { GLOBAL_FLAGS } from "../../ctl/global-flags.ts";
import type { UtilityContext } from "../context.ts";

const LONG = `Reads every byte of a stopped member's files and says what is damaged. Nothing is changed without
--from-peers.

With --from-peers and the client endpoints of all other members:

* Database damaged, log whole: the database of a healthy member is fetched, checked (SHA-256, every page) and put in
  its place. The member keeps its id; its log goes on from there.
* Log damaged: the member cannot know any more whom it voted for and which entries it acknowledged. Coming back under
  its id it could break promises that acknowledged writes rest on. So it is replaced: removed from the cluster, added
  again with the same peer URLs under a new id, and its new log written so that the usual start command works. That
  takes a majority of the members without this one. The leader then sends the data.

Damaged files are kept beside the new ones as *.damaged-TIME. What was interrupted is run again with the same command.
Where anything is in doubt nothing is done and the reason is said. A single member has no peers: restore a snapshot.

A changed byte inside a stored value cannot be seen in the file. Other members see it (alarm CORRUPT,
etcdctl endpoint hashkv); --replace=database then replaces a database in which nothing is found.
When all is well again: etcdctl alarm disarm.

Exit status: 0 when nothing is damaged or everything was repaired, else 1.`;

export const repairCommand: Command<UtilityContext> = {
  name: "repair",
  short: "Finds damage in the files of a stopped member, and repairs it from the other members",
  long: LONG,
  flags: [
    stringFlag("data-dir", "the member's data directory"),
    stringFlag("wal-dir", "its --wal-dir, where it has one"),
    boolFlag("from-peers", "repair what is damaged; without it nothing is changed"),
    stringFlag("name", "the member's name, where its log does not tell who it is"),
    stringFlag("replace", "replace the database or the member although no damage is found"),
    ...GLOBAL_FLAGS.filter(({ name }) => name !== "write-out"),
  ],
  // Speaking with members takes parts that no other command loads.
  run: async (context, flags) => (await import("./run-repair.ts")).runRepair(context, flags),
};
