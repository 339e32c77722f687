import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { ProtoWriter } from "../../api/index.ts";
import { HeaderList, HpackDecoder, HpackResult } from "./hpack-decoder.ts";
import { HpackEncoder, RepeatedBlock } from "./hpack-encoder.ts";
import { huffmanBytes, huffmanDecode, huffmanEncode } from "./huffman.ts";

const LIST_BYTES_MAX = 64 * 1024;

function decodeHex(decoder: HpackDecoder, hex: string): string[] {
  const bytes = Buffer.from(hex.replaceAll(" ", ""), "hex");
  const list = new HeaderList();
  expect(decoder.decode(bytes, 0, bytes.length, list)).toBe(HpackResult.Ok);
  return list.fields;
}

function resultOf(hex: string, decoder = new HpackDecoder(4096, LIST_BYTES_MAX)): number {
  const bytes = Buffer.from(hex.replaceAll(" ", ""), "hex");
  return decoder.decode(bytes, 0, bytes.length, new HeaderList());
}

const FIRST = [":method", "GET", ":scheme", "http", ":path", "/", ":authority", "www.example.com"];
const SECOND = [...FIRST, "cache-control", "no-cache"];
const THIRD = [
  ":method",
  "GET",
  ":scheme",
  "https",
  ":path",
  "/index.html",
  ":authority",
  "www.example.com",
  "custom-key",
  "custom-value",
];

describe("HpackDecoder, examples of RFC 7541 appendix C", () => {
  test("C.2: each literal form", () => {
    const decoder = new HpackDecoder(4096, LIST_BYTES_MAX);
    const custom = "400a637573746f6d2d6b65790d637573746f6d2d686561646572";
    expect(decodeHex(decoder, custom)).toEqual(["custom-key", "custom-header"]);
    expect(decodeHex(decoder, "040c2f73616d706c652f70617468")).toEqual([":path", "/sample/path"]);
    const secret = "100870617373776f726406736563726574";
    expect(decodeHex(decoder, secret)).toEqual(["password", "secret"]);
    expect(decodeHex(decoder, "82")).toEqual([":method", "GET"]);
    expect(decodeHex(decoder, "be")).toEqual(["custom-key", "custom-header"]);
  });

  test("C.3: three requests without Huffman", () => {
    const decoder = new HpackDecoder(4096, LIST_BYTES_MAX);
    expect(decodeHex(decoder, "828684410f7777772e6578616d706c652e636f6d")).toEqual(FIRST);
    expect(decodeHex(decoder, "828684be58086e6f2d6361636865")).toEqual(SECOND);
    const third = "828785bf400a637573746f6d2d6b65790c637573746f6d2d76616c7565";
    expect(decodeHex(decoder, third)).toEqual(THIRD);
  });

  test("C.4: three requests with Huffman", () => {
    const decoder = new HpackDecoder(4096, LIST_BYTES_MAX);
    expect(decodeHex(decoder, "828684418cf1e3c2e5f23a6ba0ab90f4ff")).toEqual(FIRST);
    expect(decodeHex(decoder, "828684be5886a8eb10649cbf")).toEqual(SECOND);
    const third = "828785bf408825a849e95ba97d7f8925a849e95bb8e8b4bf";
    expect(decodeHex(decoder, third)).toEqual(THIRD);
  });

  test("C.5: responses with a table of 256 bytes, entries are evicted", () => {
    const decoder = new HpackDecoder(256, LIST_BYTES_MAX);
    const date = "Mon, 21 Oct 2013 20:13:21 GMT";
    const location = "https://www.example.com";
    const first =
      "4803333032580770726976617465611d4d6f6e2c203231204f637420323031332032303a31333a323120474d54" +
      "6e1768747470733a2f2f7777772e6578616d706c652e636f6d";
    const tail = ["cache-control", "private", "date", date, "location", location];
    expect(decodeHex(decoder, first)).toEqual([":status", "302", ...tail]);
    expect(decodeHex(decoder, "4803333037c1c0bf")).toEqual([":status", "307", ...tail]);
  });
});

describe("HpackDecoder refuses", () => {
  test.each([
    ["index 0", "80"],
    ["an index beyond the tables", "be"],
    ["a name index beyond the tables", "7f00 0161"],
    ["a string longer than the block", "000a61"],
    ["an integer without end", "ffffffffffffff"],
    ["a huge integer", "7fffffffff7f"],
    ["a table size above what was offered", "3fe23f"],
    ["a table size update after a field", "8220"],
    ["three table size updates", "202020"],
    ["Huffman padding of a whole byte", "0082 07ff 0161"],
    ["Huffman padding with zeros", "0081 00 0161"],
    ["EOS within Huffman", "0084 fffffffc 0161"],
    ["a truncated literal", "40"],
  ])("%s", (_name, hex) => {
    expect(resultOf(hex)).toBe(HpackResult.Damaged);
  });

  test("a list that unpacks to more than four times the limit (HPACK bomb)", () => {
    const decoder = new HpackDecoder(4096, 8192);
    const writer = new ProtoWriter();
    const encoder = new HpackEncoder();
    encoder.beginBlock(writer);
    encoder.field(writer, "bomb", "x".repeat(3000), true);
    const insert = Buffer.from(writer.finish());
    expect(decoder.decode(insert, 0, insert.length, new HeaderList())).toBe(HpackResult.Ok);
    const list = new HeaderList();
    const bomb = Buffer.alloc(60_000, 0xbe);
    expect(decoder.decode(bomb, 0, bomb.length, list)).toBe(HpackResult.TooLarge);
    expect(list.fields.length).toBeLessThan(10);
  });
});

test("a list over the limit is truncated, and the table stays in step", () => {
  const decoder = new HpackDecoder(4096, 100);
  const encoder = new HpackEncoder();
  const writer = new ProtoWriter();
  encoder.beginBlock(writer);
  encoder.field(writer, "aaaa", "1".repeat(80), true);
  encoder.field(writer, "bbbb", "2", true);
  const block = Buffer.from(writer.finish());
  const list = new HeaderList();
  expect(decoder.decode(block, 0, block.length, list)).toBe(HpackResult.Ok);
  expect(list.truncated).toBe(true);
  expect(decodeHex(decoder, "be")).toEqual(["bbbb", "2"]);
});

describe("Huffman", () => {
  test("any bytes come back", () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 400 }), (bytes) => {
        const text = Buffer.from(bytes).toString("latin1");
        const encoded = Buffer.alloc(huffmanBytes(text) + 8);
        const end = huffmanEncode(text, encoded, 0);
        expect(end).toBe(huffmanBytes(text));
        const target = Buffer.alloc(end * 2 + 8);
        const count = huffmanDecode(encoded, 0, end, target);
        expect(target.toString("latin1", 0, count)).toBe(text);
      }),
    );
  });
});

const fieldArbitrary = fc.tuple(
  fc.constantFrom(":status", "content-type", "grpc-status", "x-a", "x-long-name", "date"),
  fc.string({ maxLength: 60, unit: "binary-ascii" }),
  fc.boolean(),
);

test("encoder and decoder agree over many blocks, with table size changes in between", () => {
  const step = fc.record({
    fields: fc.array(fieldArbitrary, { maxLength: 8 }),
    tableBytes: fc.option(fc.constantFrom(0, 50, 100, 200, 4096, 100_000), { nil: undefined }),
  });
  fc.assert(
    fc.property(fc.array(step, { maxLength: 12 }), (steps) => {
      const encoder = new HpackEncoder();
      const decoder = new HpackDecoder(4096, LIST_BYTES_MAX);
      for (const { fields, tableBytes } of steps) {
        if (tableBytes !== undefined) encoder.setPeerTableBytes(tableBytes);
        const writer = new ProtoWriter();
        encoder.beginBlock(writer);
        for (const [name, value, remember] of fields) encoder.field(writer, name, value, remember);
        const block = Buffer.from(writer.finish());
        const list = new HeaderList();
        expect(decoder.decode(block, 0, block.length, list)).toBe(HpackResult.Ok);
        expect(list.fields).toEqual(fields.flatMap((field) => field.slice(0, 2) as string[]));
      }
    }),
  );
});

test("RepeatedBlock shrinks to indexes and survives other blocks and table changes", () => {
  const encoder = new HpackEncoder();
  const decoder = new HpackDecoder(4096, LIST_BYTES_MAX);
  const headers = new RepeatedBlock([":status", "200", "content-type", "application/grpc"]);
  const trailers = new RepeatedBlock(["grpc-status", "0"]);
  const send = (block: RepeatedBlock): { bytes: number; fields: string[] } => {
    const writer = new ProtoWriter();
    block.write(encoder, writer);
    return {
      bytes: writer.position,
      fields: decodeHex(decoder, Buffer.from(writer.finish()).toString("hex")),
    };
  };
  for (let round = 0; round < 20; round++) {
    if (round === 10) encoder.setPeerTableBytes(0);
    if (round === 15) encoder.setPeerTableBytes(4096);
    const first = send(headers);
    expect(first.fields).toEqual([":status", "200", "content-type", "application/grpc"]);
    const second = send(trailers);
    expect(second.fields).toEqual(["grpc-status", "0"]);
    if (round === 5) expect([first.bytes, second.bytes]).toEqual([2, 1]);
  }
});

test("arbitrary bytes never throw and never hang", () => {
  fc.assert(
    fc.property(fc.array(fc.uint8Array({ maxLength: 200 }), { maxLength: 5 }), (blocks) => {
      const decoder = new HpackDecoder(4096, 1000);
      for (const bytes of blocks) {
        const list = new HeaderList();
        decoder.decode(Buffer.from(bytes), 0, bytes.length, list);
        expect(list.fields.length).toBeLessThanOrEqual(70);
      }
    }),
    { numRuns: 500 },
  );
});
