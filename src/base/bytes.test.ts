import { expect, test } from "bun:test";
import { compareBytes, copyBytes, latin1Bytes, latin1Text, prefixRangeEnd } from "./bytes.ts";

test("prefixRangeEnd increments the last byte that can be, and never changes its input", () => {
  const prefix = Buffer.from([1, 2, 0xff]);
  expect([...prefixRangeEnd(prefix)]).toEqual([1, 3]);
  expect([...prefix]).toEqual([1, 2, 0xff]);
  expect([...prefixRangeEnd(new Uint8Array([0xff, 0xff]))]).toEqual([0]);
  expect([...prefixRangeEnd(new Uint8Array(0))]).toEqual([0]);
});

test("copyBytes has memory of its own, also of a Buffer", () => {
  const source = Buffer.from([1, 2]);
  const copy = copyBytes(source);
  source[0] = 9;
  expect([...copy]).toEqual([1, 2]);
});

test("latin1Text sorts as its bytes do and comes back whole", () => {
  const a = new Uint8Array([0, 127, 128, 255]);
  const b = new Uint8Array([0, 127, 129]);
  expect(latin1Bytes(latin1Text(a))).toEqual(a);
  expect(latin1Text(a) < latin1Text(b)).toBe(compareBytes(a, b) < 0);
});
