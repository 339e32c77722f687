import { describe, expect, test } from "bun:test";
import { join } from "node:path";
import fc from "fast-check";
import Long from "long";
import protobuf from "protobufjs";
import * as generated from "../generated/messages.ts";
import { ENUM_VALUES, MESSAGE_FIELDS } from "../generated/tables.ts";
import { ProtoError } from "./reader.ts";
import { ProtoWriter } from "./writer.ts";

protobuf.util.Long = Long;
protobuf.configure();

// The oracle: protobufjs, by reflection over the same .proto files.
const oracle = new protobuf.Root();
const protoDirectory = join(import.meta.dir, "..", "proto");
oracle.resolvePath = (_origin, target) =>
  target.startsWith("/") ? target : join(protoDirectory, target);
oracle.loadSync(
  ["rpc", "lock", "election", "membership", "lease"].map((name) =>
    join(protoDirectory, `${name}.proto`),
  ),
  { keepCase: true },
);
const codecs = generated as unknown as Record<string, (...args: unknown[]) => unknown>;

function oracleType(name: string): protobuf.Type {
  if (name === "Lease") return oracle.lookupType("leasepb.Lease");
  return name.startsWith("Membership")
    ? oracle.lookupType(`membershippb.${name.slice("Membership".length)}`)
    : name === "Member"
      ? oracle.lookupType("etcdserverpb.Member")
      : oracle.lookupType(name);
}

const safeInteger = fc.oneof(fc.nat(200), fc.maxSafeInteger(), fc.constant(-1));
function fieldValue(type: string, depth: number): fc.Arbitrary<unknown> {
  if (type.startsWith("message:")) return messageOf(type.slice(8), depth + 1);
  if (type.startsWith("enum:")) {
    return fc.constantFrom(...Object.values(ENUM_VALUES[type.slice(5)]!));
  }
  switch (type) {
    case "bool":
      return fc.boolean();
    case "bytes":
      return fc.uint8Array({ maxLength: 300 });
    case "string":
      return fc.string({ maxLength: 100 });
    case "uint32":
      return fc.nat(0xffffffff);
    case "int64":
      return safeInteger;
    case "uint64":
      return safeInteger.map(Math.abs);
    case "big:int64":
      return fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n });
    default:
      return fc.bigInt({ min: 0n, max: 2n ** 64n - 1n });
  }
}

function messageOf(name: string, depth = 0): fc.Arbitrary<Record<string, unknown>> {
  const groups = new Map<string, string[]>();
  const shape: Record<string, fc.Arbitrary<unknown>> = {};
  for (const field of MESSAGE_FIELDS[name]!) {
    if (depth > 3 && field.type.startsWith("message:")) continue;
    const value = fieldValue(field.type, depth);
    shape[field.name] = field.repeated ? fc.array(value, { maxLength: 3 }) : value;
    if (field.oneof) groups.set(field.oneof, [...(groups.get(field.oneof) ?? []), field.name]);
  }
  return fc.record(shape, { requiredKeys: [] }).map((message) => {
    for (const names of groups.values()) {
      const present = names.filter((field) => message[field] !== undefined);
      for (const extra of present.slice(1)) delete message[extra];
    }
    return message;
  });
}

/** The oracle wants decimal strings where we have bigint. */
function forOracle(name: string, message: Record<string, unknown>): Record<string, unknown> {
  const out: Record<string, unknown> = {};
  for (const field of MESSAGE_FIELDS[name]!) {
    const value = message[field.name];
    if (value === undefined) continue;
    const convert = (item: unknown): unknown => {
      if (field.type.startsWith("message:")) {
        return forOracle(field.type.slice(8), item as Record<string, unknown>);
      }
      return typeof item === "bigint" ? Long.fromString(item.toString(), item > 0n) : item;
    };
    out[field.name] = Array.isArray(value) ? value.map(convert) : convert(value);
  }
  return out;
}

describe("generated codecs", () => {
  for (const name of Object.keys(MESSAGE_FIELDS)) {
    test(`${name} round-trips, and the oracle reads and writes the same`, () => {
      fc.assert(
        fc.property(messageOf(name), (message) => {
          const writer = new ProtoWriter(16);
          codecs[`encode${name}`]!(writer, message);
          const bytes = writer.finish();
          const decoded = codecs[`decode${name}`]!(bytes);
          const again = new ProtoWriter();
          codecs[`encode${name}`]!(again, decoded);
          expect(again.finish()).toEqual(bytes);
          const type = oracleType(name);
          const theirs = type.decode(bytes);
          expect(codecs[`decode${name}`]!(new Uint8Array(type.encode(theirs).finish()))).toEqual(
            decoded,
          );
          const reread = codecs[`decode${name}`]!(
            new Uint8Array(type.encode(type.fromObject(forOracle(name, message))).finish()),
          );
          expect(reread).toEqual(decoded);
        }),
        { numRuns: 30 },
      );
    });
  }
});

test("decoders answer damaged bytes with ProtoError and nothing else", () => {
  const names = Object.keys(MESSAGE_FIELDS);
  fc.assert(
    fc.property(fc.constantFrom(...names), fc.uint8Array({ maxLength: 200 }), (name, bytes) => {
      try {
        codecs[`decode${name}`]!(bytes);
      } catch (error) {
        expect(error).toBeInstanceOf(ProtoError);
      }
    }),
    { numRuns: 3000 },
  );
});

test("a txn nested deeper than the limit is refused", () => {
  let bytes = new Uint8Array(0);
  for (let i = 0; i < 300; i++) {
    const writer = new ProtoWriter();
    writer.bytesField(i % 2 === 0 ? 34 : 18, bytes);
    bytes = writer.finish() as Uint8Array<ArrayBuffer>;
  }
  expect(() => generated.decodeTxnRequest(bytes)).toThrow(ProtoError);
});

test("a KeyValue given as its bytes is spliced in", () => {
  const kv = new ProtoWriter();
  generated.encodeKeyValue(kv, {
    key: new Uint8Array([1]),
    value: new Uint8Array(200),
    version: 3,
  });
  const writer = new ProtoWriter();
  generated.encodeRangeResponse(writer, { kvs: [kv.finish()], count: 1 });
  const decoded = generated.decodeRangeResponse(writer.finish());
  expect(decoded.kvs[0]!.version).toBe(3);
  expect(decoded.kvs[0]!.value.length).toBe(200);
});

test("the largest and the smallest 64-bit integer keep their sign through the log's copy of a request", () => {
  for (const value of [2n ** 63n - 1n, 2n ** 63n - 512n, -(2n ** 63n)]) {
    const original = new ProtoWriter();
    original.varint32(88); // max_mod_revision
    original.bigInt64(value);
    const first = generated.decodeRangeRequest(original.finish());
    expect(first.max_mod_revision).toBe(Number(value));
    const copy = new ProtoWriter();
    generated.encodeRangeRequest(copy, first);
    expect(generated.decodeRangeRequest(copy.finish()).max_mod_revision).toBe(Number(value));
  }
});
