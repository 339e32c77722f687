import { expect, test } from "bun:test";
import { join } from "node:path";
import fc from "fast-check";
import protobuf from "protobufjs";
import { METHODS } from "../generated/methods.ts";
import { ENUM_VALUES, type FieldRow, MESSAGE_FIELDS } from "../generated/tables.ts";
import { ProtoWriter } from "../protobuf/writer.ts";
import { decodeJson } from "./json-decode.ts";
import { encodeJson, encodeJsonLine } from "./json-encode.ts";
import { camelName } from "./json-names.ts";

const protos = new protobuf.Root();
const directory = join(import.meta.dir, "..", "proto");
protos.resolvePath = (_, target) => (target.startsWith("/") ? target : join(directory, target));
protos.loadSync(
  ["kv", "auth", "rpc", "lock", "election"].map((file) => join(directory, `${file}.proto`)),
  { keepCase: true },
);

const textArbitrary = fc.oneof(
  fc.string({ unit: "grapheme", maxLength: 8 }),
  fc.constantFrom("", "<a&b>", '"\\\n\u0001\u2028'),
);
const bytesArbitrary = fc.uint8Array({ maxLength: 9 });

/** Messages as the encoder takes them, all fields optional. */
function messageArbitrary(type: string, depth: number): fc.Arbitrary<Record<string, unknown>> {
  const rows = MESSAGE_FIELDS[type]!.filter((row) => depth > 0 || !row.type.startsWith("message:"));
  const oneof = rows.filter((row) => row.oneof !== undefined);
  const shape: Record<string, fc.Arbitrary<unknown>> = {};
  for (const row of rows) {
    if (row.oneof === undefined) shape[row.name] = fieldArbitrary(row, depth);
  }
  const plain = fc.record(shape, { requiredKeys: [] });
  if (oneof.length === 0) return plain;
  const choice = fc
    .constantFrom(...oneof)
    .chain((row) => fieldArbitrary(row, depth).map((value) => ({ [row.name]: value })));
  return fc.tuple(plain, fc.option(choice, { nil: {} })).map(([a, b]) => ({ ...a, ...b }));
}

function fieldArbitrary(row: FieldRow, depth: number): fc.Arbitrary<unknown> {
  const item = valueArbitrary(row.type, depth);
  return row.repeated ? fc.array(item, { maxLength: 3 }) : item;
}

function valueArbitrary(type: string, depth: number): fc.Arbitrary<unknown> {
  const [kind, detail] = type.split(":") as [string, string];
  switch (kind) {
    case "bytes":
      return bytesArbitrary;
    case "string":
      return textArbitrary;
    case "bool":
      return fc.boolean();
    case "uint32":
      return fc.nat(2 ** 32 - 1);
    case "int64":
      return fc.maxSafeInteger();
    case "uint64":
      return fc.maxSafeNat();
    case "enum":
      return fc.constantFrom(...Object.values(ENUM_VALUES[detail]!));
    case "big":
      return detail === "int64"
        ? fc.bigInt(-(2n ** 63n), 2n ** 63n - 1n)
        : fc.bigInt(0n, 2n ** 64n - 1n);
    default:
      return messageArbitrary(detail, depth - 1);
  }
}

/** A message in one of the many spellings that a client may choose. */
function spell(type: string, message: Record<string, unknown>, choice: () => boolean): string {
  const members = MESSAGE_FIELDS[type]!.filter((row) => message[row.name] !== undefined).map(
    (row) => {
      const name = choice() ? row.name : camelName(row.name);
      const value = message[row.name];
      const text = row.repeated
        ? `[${(value as unknown[]).map((item) => spellValue(row.type, item, choice)).join(" , ")}]`
        : spellValue(row.type, value, choice);
      return `${JSON.stringify(name)} : ${text}`;
    },
  );
  if (choice()) members.unshift('"unknown":{"x":[1,"]}",null]}');
  return `{${members.join(",\n")}}`;
}

function spellValue(type: string, value: unknown, choice: () => boolean): string {
  const [kind, detail] = type.split(":") as [string, string];
  if (kind === "message") return spell(detail, value as Record<string, unknown>, choice);
  if (kind === "bytes") {
    const text = Buffer.from(value as Uint8Array).toString(choice() ? "base64" : "base64url");
    return JSON.stringify(choice() ? text.replace(/=+$/, "") : text);
  }
  if (kind === "enum" && choice()) {
    return JSON.stringify(Object.entries(ENUM_VALUES[detail]!).find(([, n]) => n === value)![0]);
  }
  if (kind === "string" || kind === "bool" || kind === "enum") return JSON.stringify(value);
  return choice() ? String(value) : `"${value}"`;
}

const requests = METHODS.map((row) => ({ row, arbitrary: messageArbitrary(row.requestType, 4) }));
const responses = METHODS.map((row) => ({ row, arbitrary: messageArbitrary(row.responseType, 4) }));

test("every spelling of a request decodes to the message that the binary decoder gives", () => {
  for (const { row, arbitrary } of requests) {
    fc.assert(
      fc.property(arbitrary, fc.infiniteStream(fc.boolean()), (message, choices) => {
        const text = spell(row.requestType, message, () => choices.next().value as boolean);
        const decoded = decodeJson(row.requestType, new TextEncoder().encode(text));
        const writer = new ProtoWriter();
        row.encodeRequest(writer, message as never);
        expect(decoded).toEqual({ ok: true, message: row.decodeRequest(writer.finish()) });
      }),
      { numRuns: 15 },
    );
  }
});

test("answers are the JSON that protobufjs makes of the same message", () => {
  for (const { row, arbitrary } of responses) {
    const name = `${row.service.split(".")[0]}.${row.responseType}`;
    const type = protos.lookupType(name);
    fc.assert(
      fc.property(arbitrary, (message) => {
        const writer = new ProtoWriter();
        row.encodeResponse(writer, message as never);
        const expected = type.toObject(type.decode(writer.finish()), {
          longs: String,
          enums: String,
          bytes: String,
        });
        expect(JSON.parse(encodeJson(row.responseType, message))).toEqual(expected);
        const line = encodeJsonLine(row.responseType, message);
        expect(JSON.parse(line)).toEqual({ result: expected });
        expect(line).not.toMatch(/[<>&\u2028]|\n./);
      }),
      { numRuns: 15 },
    );
  }
});

test("encodeJson writes the bytes of etcd's gateway", () => {
  const kv = {
    key: Buffer.from("foo"),
    create_revision: 2,
    mod_revision: 3,
    version: 2,
    value: Buffer.from("bar"),
  };
  const header = {
    cluster_id: 10144879847569953045n,
    member_id: 12428976124636271536n,
    revision: 3,
    raft_term: 2,
  };
  expect(
    encodeJson("RangeResponse", { header, kvs: [kv, { key: Buffer.from("a") }], count: 2 }),
  ).toBe(
    '{"header":{"cluster_id":"10144879847569953045", "member_id":"12428976124636271536", "revision":"3", "raft_term":"2"}, ' +
      '"kvs":[{"key":"Zm9v", "create_revision":"2", "mod_revision":"3", "version":"2", "value":"YmFy"}, {"key":"YQ=="}], "count":"2"}',
  );
  expect(encodeJson("HashKVResponse", { hash: 4294967295, compact_revision: -1 })).toBe(
    '{"hash":4294967295, "compact_revision":"-1"}',
  );
  expect(encodeJsonLine("WatchResponse", { watch_id: 7, events: [{ type: 1, kv }] })).toBe(
    '{"result":{"watch_id":"7","events":[{"type":"DELETE","kv":{"key":"Zm9v","create_revision":"2","mod_revision":"3","version":"2","value":"YmFy"}}]}}\n',
  );
});

test("damaged bodies are answered, never thrown at", () => {
  const row = METHODS.find((method) => method.name === "Txn")!;
  const bodies = messageArbitrary(row.requestType, 4);
  const edit = fc.record({ at: fc.nat(), byte: fc.nat(255), how: fc.nat(3) });
  fc.assert(
    fc.property(
      bodies,
      fc.array(edit, { maxLength: 6 }),
      fc.infiniteStream(fc.boolean()),
      (message, edits, choices) => {
        const text = spell(row.requestType, message, () => choices.next().value as boolean);
        let bytes = Array.from(new TextEncoder().encode(text));
        for (const { at, byte, how } of edits) {
          const index = at % (bytes.length + 1);
          if (how === 0) bytes.splice(index, 1, byte);
          else if (how === 1) bytes.splice(index, 1);
          else if (how === 2) bytes.splice(index, 0, byte);
          else bytes = bytes.concat(bytes.slice(index, index + 20));
        }
        const result = decodeJson(row.requestType, Uint8Array.from(bytes));
        if (!result.ok) expect(result.error).not.toBe("");
      },
    ),
    { numRuns: 1500 },
  );
});
