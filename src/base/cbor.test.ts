import { expect, test } from "bun:test";
import fc from "fast-check";
import { CborError, type CborValue, decodeCbor, encodeCbor } from "./cbor.ts";

const plain = (value: CborValue): unknown =>
  value instanceof Uint8Array
    ? `h'${Buffer.from(value).toString("hex")}'`
    : Array.isArray(value)
      ? value.map(plain)
      : Object.is(value, -0)
        ? 0
        : value;

const { value } = fc.letrec<{ value: CborValue }>((tie) => ({
  value: fc.oneof(
    { maxDepth: 4 },
    fc.constant(null),
    fc.boolean(),
    fc.maxSafeInteger(),
    fc.double({ noNaN: true }),
    fc.bigInt({ min: 0n, max: 2n ** 64n - 1n }),
    fc.string({ unit: "grapheme" }),
    fc.uint8Array({ maxLength: 300 }),
    fc.array(tie("value"), { maxLength: 6 }),
  ),
}));

test("decodeCbor returns what encodeCbor was given, with the same types", () => {
  fc.assert(
    fc.property(value, (original) => {
      expect(plain(decodeCbor(encodeCbor(original)))).toEqual(plain(original));
    }),
  );
});

test("encodeCbor gives the same bytes for the same value, whatever was encoded before", () => {
  fc.assert(
    fc.property(value, value, (original, other) => {
      const first = Buffer.from(encodeCbor(original)).toString("hex");
      encodeCbor(other);
      expect(Buffer.from(encodeCbor(original)).toString("hex")).toBe(first);
    }),
  );
});

test("decodeCbor gives byte strings as views and bigints as bigints", () => {
  const bytes = encodeCbor([new Uint8Array([1, 2, 3]), 5n, 2 ** 40]);
  const [view, small, big] = decodeCbor(bytes) as [Uint8Array, bigint, number];
  expect(view.buffer).toBe(bytes.buffer);
  expect(small).toBe(5n);
  expect(big).toBe(2 ** 40);
});

test("decodeCbor throws only CborError on any bytes and refuses lengths beyond the input", () => {
  for (const hex of [
    "9affffffff",
    "5affffffff00",
    "9bffffffffffffffff",
    "c100",
    "a10102",
    "5f4100ff",
  ]) {
    expect(() => decodeCbor(Buffer.from(hex, "hex"))).toThrow(CborError);
  }
  expect(() => decodeCbor(new Uint8Array(100_000).fill(0x81))).toThrow(CborError);
  expect(() => decodeCbor(new Uint8Array([1, 1]))).toThrow("1 bytes after");
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 60 }), (bytes) => {
      try {
        decodeCbor(bytes);
      } catch (error) {
        expect(error).toBeInstanceOf(CborError);
      }
    }),
    { numRuns: 2000 },
  );
});

test("the wrapper runs without the native addon", async () => {
  const { isNativeAccelerationEnabled } = await import("cbor-x/decode");
  expect(isNativeAccelerationEnabled).toBe(false);
});
