import { expect, test } from "bun:test";
import { crc32c } from "./crc32c.ts";

test("crc32c gives the published check value and continues over parts", () => {
  const bytes = new TextEncoder().encode("123456789");
  expect(crc32c(bytes)).toBe(0xe3069283);
  const long = new Uint8Array(1000).map((_, i) => i * 7);
  expect(crc32c(long, crc32c(long, 0, 0, 333), 333)).toBe(crc32c(long));
  expect(crc32c(new Uint8Array(32))).toBe(0x8a9136aa);
});
