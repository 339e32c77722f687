// docs/divergence.md is written from the table in divergence.ts: `bun test/differential/divergence-document.ts`
// writes it, divergence.test.ts checks that it is up to date.

import { join } from "node:path";
import { repositoryDirectory } from "../reference.ts";
import { divergences } from "./divergence.ts";

export const documentPath = join(repositoryDirectory, "docs", "divergence.md");

const opening = `# Where cairn differs from etcd on purpose

cairn answers as etcd 3.7 does. The differential test (\`test/differential\`) runs the same requests against
a real etcd 3.5 and against cairn and lets no other difference pass than the ones below; each is an entry
of the table in \`test/differential/divergence.ts\`, from which this page is written.
`;

export function divergenceDocument(): string {
  const entries = divergences.map(
    ({ id, etcd, cairn, reason }) =>
      `## ${id}\n\n- etcd 3.5: ${etcd}\n- cairn: ${cairn}\n- why: ${reason}\n`,
  );
  return [opening, ...entries].join("\n");
}

if (import.meta.main) await Bun.write(documentPath, divergenceDocument());
