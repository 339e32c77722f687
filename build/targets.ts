/** What the executable is compiled for, and how its file is called there. */
export interface Target {
  /** Bun's name of the platform. */
  readonly name: string;
  readonly file: string;
}

export const TARGETS: readonly Target[] = [
  { name: "bun-linux-x64", file: "cairn-linux-amd64" },
  { name: "bun-linux-arm64", file: "cairn-linux-arm64" },
  { name: "bun-darwin-arm64", file: "cairn-darwin-arm64" },
  { name: "bun-windows-x64", file: "cairn-windows-amd64.exe" },
];
