import { expect, test } from "bun:test";
import fc from "fast-check";
import { FaultDisk } from "../../test/disk/fault-disk.ts";
import { decodeCbor } from "../base/cbor.ts";
import { checkBody, visitRecords } from "./batch-body.ts";
import { BatchBuilder } from "./batch-builder.ts";
import { NO_BATCH, readBatchHeader } from "./batch-header.ts";
import { KIND_ENTRY } from "./format.ts";
import { WriteAheadLog } from "./index.ts";
import { parseSegmentName, segmentName } from "./segment-name.ts";

const hex = (bytes: Uint8Array) => Buffer.from(bytes).toString("hex");

test("the bytes of docs/formats/wal.md", () => {
  const disk = new FaultDisk();
  disk.makeDirectory("/m");
  const options = { disk, directory: "/m/wal", segmentBytes: 1024 };
  const log = WriteAheadLog.create(options, { memberId: 5n, clusterId: 6n });
  log.append([{ term: 1, index: 1, kind: 0, data: new Uint8Array([0x61, 0x62, 0x63]) }], null);
  log.flush(() => {});
  const bytes = disk.contents("/m/wal/0000000000000000-0000000000000001.wal");
  const zeros = "0000000000000000";
  const example = [
    "43574231dbb8521e",
    "3800000001000000",
    "0200000000000000",
    zeros,
    "2001000000000000",
    "0ece52fc318b65c1",
    "0100000000000000",
    "0100000000000000",
    "0000000020010000",
    "ede51b7403000000",
    zeros,
    zeros,
    "060000009b864e07",
    "0100000000000003",
    "0100000000000000",
    "8200436162630000",
    "060000009b864e07",
    "0100000000000003",
    "0100000000000000",
  ];
  expect(hex(bytes.subarray(0x120, 0x1b8))).toBe(example.join(""));
  expect(bytes.subarray(0x1b8).every((byte) => byte === 0)).toBe(true);
});

test("the hand-laid entries of BatchBuilder are what the CBOR library decodes", () => {
  const entry = fc.record({
    term: fc.maxSafeInteger().map(Math.abs),
    index: fc.maxSafeInteger().map(Math.abs),
    kind: fc.nat(23),
    data: fc.oneof(
      fc.uint8Array({ maxLength: 300 }),
      fc.constantFrom(65535, 65536, 70_000).map((size) => new Uint8Array(size).fill(size)),
    ),
  });
  const builder = new BatchBuilder();
  fc.assert(
    fc.property(fc.array(entry, { maxLength: 8 }), fc.nat(2 ** 31), (entries, offset) => {
      for (const { term, index, kind, data } of entries) builder.addEntry(term, index, kind, data);
      const place = {
        number: 9,
        segment: 3,
        offset,
        flags: 0,
        logId: 5,
        lastIndex: 1,
        lastTerm: 1,
      };
      const identity = builder.seal({ ...place, previous: NO_BATCH });
      const bytes = builder.bytes.slice(0, identity.bytes);
      builder.reset();
      const header = readBatchHeader(bytes, 0)!;
      expect(header).toMatchObject({ ...place, ...identity, previous: NO_BATCH });
      expect(checkBody(bytes, 0, header)).toBeNull();
      const decoded: unknown[] = [];
      visitRecords(bytes, 0, header, (from, record) => {
        expect(record.kind).toBe(KIND_ENTRY);
        const payload = decodeCbor(from.subarray(record.payloadStart, record.payloadEnd));
        const [kind, data] = payload as [number, Uint8Array];
        decoded.push([record.term, record.index, kind, hex(data)]);
        return null;
      });
      expect(decoded).toEqual(entries.map((e) => [e.term, e.index, e.kind, hex(e.data)]));
    }),
  );
});

test("segment names carry sequence and index and nothing else passes for one", () => {
  const name = segmentName(18, 2 ** 52 + 3);
  expect(name.file).toBe("0000000000000012-0010000000000003.wal");
  expect(parseSegmentName(name.file)).toEqual(name);
  for (const other of ["next.tmp", `x${name.file}`, `${name.file}.broken`, "12-3.wal", ""]) {
    expect(parseSegmentName(other)).toBeNull();
  }
  expect(parseSegmentName(`${"f".repeat(16)}-${"0".repeat(16)}.wal`)).toBeNull();
});
