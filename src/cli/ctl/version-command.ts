/** `version`. */
import { ETCD_VERSION } from "../../base/version.ts";
import type { Command } from "../args/index.ts";
import type { ControlContext } from "./context.ts";

export const API_VERSION = ETCD_VERSION.split(".").slice(0, 2).join(".");

export const versionCommand: Command<ControlContext> = {
  name: "version",
  short: "Prints the version",
  async run(context) {
    context.io.stdout.write(`etcdctl version: ${ETCD_VERSION}\nAPI version: ${API_VERSION}\n`);
  },
};
