import { expect, test } from "bun:test";
import fc from "fast-check";
import { argumentOfBytes, bytesOfArgument, goQuote, goUnquote } from "./index.ts";

const anyBytes = fc.oneof(
  fc.uint8Array({ maxLength: 24 }),
  fc.string({ unit: "grapheme", maxLength: 12 }).map((text) => new TextEncoder().encode(text)),
);

test("arguments carry any bytes", () => {
  fc.assert(
    fc.property(anyBytes, (bytes) => {
      expect([...bytesOfArgument(argumentOfBytes(bytes))]).toEqual([...bytes]);
    }),
  );
});

test("goUnquote reads back what goQuote wrote, and stops behind it", () => {
  fc.assert(
    fc.property(anyBytes, fc.string({ maxLength: 5 }), (bytes, tail) => {
      const quoted = goQuote(bytes);
      const read = goUnquote(quoted + tail);
      expect(read.kind).toBe("ok");
      if (read.kind !== "ok") return;
      expect(read.length).toBe(quoted.length);
      expect([...read.bytes]).toEqual([...bytes]);
    }),
  );
});

test("goUnquote never throws", () => {
  fc.assert(
    fc.property(fc.string({ maxLength: 30 }), (text) => {
      goUnquote(`"${text}`);
      goUnquote(text);
    }),
  );
});

test("goQuote escapes as Go does", () => {
  const rows: [Uint8Array | string, string][] = [
    ["plain é 世", '"plain é 世"'],
    ['"\\\n\t\r\u0007', '"\\"\\\\\\n\\t\\r\\a"'],
    ["\u0000\u001f\u007f", '"\\x00\\x1f\\x7f"'],
    ["\u00a0\u2028\u200b", '"\\u00a0\\u2028\\u200b"'],
    ["\u{e0001}", '"\\U000e0001"'],
    ["\ufffd", '"\ufffd"'],
    [Uint8Array.of(0xff, 0x41, 0xc3), '"\\xffA\\xc3"'],
    [Uint8Array.of(0xed, 0xa0, 0x80), '"\\xed\\xa0\\x80"'],
  ];
  for (const [input, expected] of rows) {
    const bytes = typeof input === "string" ? new TextEncoder().encode(input) : input;
    expect(goQuote(bytes)).toBe(expected);
  }
});

test("goUnquote knows Go's escapes and refuses others", () => {
  const read = goUnquote('"\\101\\x42\\u0043\\U00000044\\n"');
  expect(read).toMatchObject({ kind: "ok" });
  if (read.kind === "ok") expect(Buffer.from(read.bytes).toString()).toBe("ABCD\n");
  for (const bad of ['"\\q"', '"\\400"', '"\\xg0"', '"\\ud800"', '"\\u12"', '"\\\'"', '"a\nb"']) {
    expect(goUnquote(bad).kind).toBe("bad");
  }
  expect(goUnquote('"open').kind).toBe("open");
  expect(goUnquote("none").kind).toBe("absent");
});
