/** What every etcdutl command gets. */
import type { Disk, NewDigest } from "../../io/index.ts";
import type { CommandIo, Environment } from "../output/index.ts";

export interface UtilityContext {
  readonly io: CommandIo;
  readonly environment: Environment;
  readonly disk: Disk;
  readonly newDigest: NewDigest;
}
