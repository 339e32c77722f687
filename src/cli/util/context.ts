/** What every etcdutl command gets. */
import type { Disk, NewDigest } from "../../io/index.ts";
import type { CommandIo } from "../output/index.ts";

export interface UtilityContext {
  readonly io: CommandIo;
  readonly disk: Disk;
  readonly newDigest: NewDigest;
}
