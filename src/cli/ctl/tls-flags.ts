/** The TLS options of the command line as options of a client. */

import type { TlsOptions } from "../../client/index.ts";
import { DiskError } from "../../io/index.ts";
import { badArguments, type FlagSet } from "../args/index.ts";
import type { ControlContext } from "./context.ts";
import { fileErrorText } from "./file-error.ts";

/** Undefined when nothing asks for TLS. */
export function tlsOptions(context: ControlContext, flags: FlagSet): TlsOptions | undefined {
  for (const name of ["cert", "key", "cacert"]) {
    if (flags.changed(name) && flags.text(name) === "") {
      badArguments(`empty string is passed to --${name} option`);
    }
  }
  const certFile = flags.text("cert");
  const keyFile = flags.text("key");
  const caFile = flags.text("cacert");
  if ((certFile === "") !== (keyFile === "")) {
    badArguments(`KeyFile and CertFile must both be present[key: ${keyFile}, cert: ${certFile}]`);
  }
  const skipVerify = flags.flag("insecure-skip-tls-verify");
  const given = certFile !== "" || caFile !== "" || !flags.flag("insecure-transport");
  if (!given && !skipVerify) return undefined;
  return {
    skipVerify,
    onlyWithScheme: !given,
    ...(certFile === ""
      ? {}
      : { cert: readPem(context, certFile), key: readPem(context, keyFile) }),
    ...(caFile === "" ? {} : { ca: readPem(context, caFile) }),
  };
}

const FILE_BYTES_MAX = 16 * 1024 * 1024;

function readPem(context: ControlContext, path: string): string {
  try {
    const file = context.disk.open(path, { readOnly: true });
    try {
      const bytes = new Uint8Array(Math.min(file.sizeBytes(), FILE_BYTES_MAX));
      const count = file.readAt(bytes, 0, bytes.length, 0);
      const text = Buffer.from(bytes.subarray(0, count)).toString("utf8");
      if (!text.includes("-----BEGIN "))
        badArguments(`tls: failed to find any PEM data in ${path}`);
      return text;
    } finally {
      file.close();
    }
  } catch (error) {
    if (!(error instanceof DiskError)) throw error;
    return badArguments(fileErrorText("open", path, error));
  }
}
