// Our request blocks against the server's decoder, and the server's answer blocks against our reader.

import { expect, test } from "bun:test";
import fc from "fast-check";
import { ProtoWriter } from "../../../api/index.ts";
import { HeaderList, HpackDecoder } from "../../../http/http2/hpack-decoder.ts";
import { HpackEncoder } from "../../../http/http2/hpack-encoder.ts";
import { readTrailers } from "./answer-trailers.ts";
import { RequestHead } from "./request-head.ts";

const FIELDS = { path: "/etcdserverpb.KV/Put", authority: "host:1", tls: false, token: null };

function decoded(decoder: HpackDecoder, block: Uint8Array): string[] {
  const list = new HeaderList();
  expect(decoder.decode(Buffer.from(block), 0, block.length, list)).toBe(0);
  return list.fields;
}

test("the first block and the repeated ones say the same, pseudo-headers first", () => {
  for (const tableBytes of [0, 4096, 65_536]) {
    for (const token of [null, "abc", "x".repeat(300), "y".repeat(5000)]) {
      const head = new RequestHead({ ...FIELDS, token }, tableBytes);
      const decoder = new HpackDecoder(4096, 1 << 20);
      const first = decoded(decoder, head.next());
      expect(first.slice(0, 8)).toEqual([
        ...[":method", "POST", ":scheme", "http"],
        ...[":path", FIELDS.path, ":authority", FIELDS.authority],
      ]);
      if (token !== null) expect(first.slice(-2)).toEqual(["token", token]);
      expect(decoded(decoder, head.next())).toEqual(first);
      expect(decoded(decoder, head.next())).toEqual(first);
    }
  }
});

test("a repeated block is a few bytes where the server has a table", () => {
  const head = new RequestHead(FIELDS, 4096);
  head.next();
  expect(head.next()).toHaveLength(7);
});

const printable = fc.string({
  unit: fc.integer({ min: 32, max: 126 }).map((code) => String.fromCharCode(code)),
});

test("status and message are read out of any block of an encoder without table", () => {
  fc.assert(
    fc.property(fc.integer({ min: 0, max: 16 }), printable, (code, message) => {
      const encoder = new HpackEncoder();
      encoder.setPeerTableBytes(0);
      const writer = new ProtoWriter();
      encoder.beginBlock(writer);
      encoder.field(writer, ":status", "200", true);
      encoder.field(writer, "content-type", "application/grpc", true);
      encoder.field(writer, "grpc-status", String(code), true);
      encoder.field(writer, "grpc-message", encodeURIComponent(message));
      const block = writer.finish();
      expect(readTrailers(block, 0, block.length)).toEqual({ code, message });
    }),
  );
});

test("every printable sign survives the Huffman code, also unescaped", () => {
  const encoder = new HpackEncoder();
  encoder.setPeerTableBytes(0);
  for (let sign = 32; sign < 127; sign++) {
    if (sign === 37) continue;
    const writer = new ProtoWriter();
    encoder.beginBlock(writer);
    const message = `eeeeeeeeeeeeeeee${String.fromCharCode(sign)}`;
    encoder.field(writer, "grpc-message", message);
    const block = writer.finish();
    expect(readTrailers(block, 0, block.length).message).toBe(message);
  }
});

test("damaged blocks have no status and throw nothing", () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 40 }), (block) => {
      expect(readTrailers(block, 0, block.length).code).toBeGreaterThanOrEqual(-1);
    }),
    { numRuns: 500 },
  );
  expect(readTrailers(Uint8Array.of(0x00, 0x7f), 0, 2)).toEqual({ code: -1, message: "" });
});
