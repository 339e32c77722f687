/** A member as the cluster knows it. `name` is empty until it started for the first time and published itself. */
export interface Member {
  readonly id: bigint;
  readonly peerUrls: readonly string[];
  readonly name: string;
  readonly clientUrls: readonly string[];
  readonly isLearner: boolean;
}

/**
 * The stored form: etcd's JSON in the bucket `members`. Ids are numbers of up to 64 bits there, which JSON.stringify
 * cannot write.
 */
export function encodeMember(member: Member): string {
  const parts = [`"id":${member.id}`, `"peerURLs":${JSON.stringify(member.peerUrls)}`];
  if (member.isLearner) parts.push('"isLearner":true');
  if (member.name !== "") parts.push(`"name":${JSON.stringify(member.name)}`);
  if (member.clientUrls.length > 0) {
    parts.push(`"clientURLs":${JSON.stringify(member.clientUrls)}`);
  }
  return `{${parts.join(",")}}`;
}

/** Reads the stored form; undefined when it is not one. */
export function decodeMember(text: string): Member | undefined {
  const id = /"id"\s*:\s*(\d+)/.exec(text)?.[1];
  if (id === undefined) return undefined;
  try {
    const fields = JSON.parse(text) as Record<string, unknown>;
    return {
      id: BigInt(id),
      peerUrls: strings(fields.peerURLs),
      name: typeof fields.name === "string" ? fields.name : "",
      clientUrls: strings(fields.clientURLs),
      isLearner: fields.isLearner === true,
    };
  } catch {
    return undefined;
  }
}

function strings(value: unknown): string[] {
  return Array.isArray(value) ? value.filter((item) => typeof item === "string") : [];
}

/** Lower-case hex without padding, as ids are written everywhere outside the wire. */
export function hexId(id: bigint): string {
  return BigInt.asUintN(64, id).toString(16);
}
