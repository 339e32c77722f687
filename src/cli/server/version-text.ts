import { CAIRN_VERSION, ETCD_VERSION } from "../../base/version.ts";

const ARCHITECTURES: Readonly<Record<string, string>> = { x64: "amd64", arm64: "arm64" };

/** The four lines that scripts read of `etcd --version`; what stands for Git and Go names what this really is. */
export function printVersion(): number {
  const architecture = ARCHITECTURES[process.arch] ?? process.arch;
  process.stdout.write(
    `etcd Version: ${ETCD_VERSION}\n` +
      `Git SHA: cairn-${CAIRN_VERSION}\n` +
      `Go Version: none (Bun ${Bun.version})\n` +
      `Go OS/Arch: ${process.platform}/${architecture}\n`,
  );
  return 0;
}
