import { expect, test } from "bun:test";
import { decode } from "cbor-x/decode";
import fc from "fast-check";
import { decodeCommand, encodeCommand } from "./command-codec.ts";

test("encodeCommand writes CBOR that a general decoder reads, and decodeCommand reads it back", () => {
  fc.assert(
    fc.property(
      fc.integer({ min: 1, max: 2000 }),
      fc.nat({ max: 2 ** 48 - 1 }),
      fc.oneof(fc.nat(), fc.maxSafeNat(), fc.constantFrom(23, 24, 255, 256, 65535, 65536)),
      fc.string(),
      fc.maxSafeNat(),
      fc.uint8Array({ maxLength: 70000 }),
      (kind, origin, requestId, userName, authRevision, request) => {
        const bytes = encodeCommand(kind, origin, requestId, userName, authRevision, request);
        const general = decode(bytes).map((item: unknown) =>
          item instanceof Uint8Array
            ? new Uint8Array(item)
            : typeof item === "string"
              ? item
              : Number(item),
        );
        expect(general).toEqual([kind, origin, requestId, userName, authRevision, request]);
        const command = decodeCommand(bytes);
        expect(command).toEqual({
          kind,
          origin,
          requestId,
          userName,
          authRevision,
          request: expect.any(Uint8Array),
        });
        expect(new Uint8Array(command!.request)).toEqual(request);
      },
    ),
    { numRuns: 200 },
  );
});

test("decodeCommand answers null for every shortened or lengthened command and survives any bytes", () => {
  const bytes = encodeCommand(1, 2 ** 48 - 1, 300, "user", 5, new Uint8Array(40));
  for (let length = 0; length < bytes.length; length++) {
    expect(decodeCommand(bytes.subarray(0, length))).toBeNull();
  }
  expect(decodeCommand(new Uint8Array([...bytes, 0]))).toBeNull();
  fc.assert(fc.property(fc.uint8Array(), (noise) => void decodeCommand(noise)));
});

test("decodeCommand reads the commands of earlier versions, which name no member", () => {
  const now = encodeCommand(3, 7, 300, "user", 5, new Uint8Array([1, 2]));
  // Without the third byte, the origin, and one item shorter.
  const before = new Uint8Array([0x85, now[1]!, ...now.subarray(3)]);
  expect(decodeCommand(before)).toEqual({ ...decodeCommand(now)!, origin: 0 });
  for (let length = 0; length < before.length; length++) {
    expect(decodeCommand(before.subarray(0, length))).toBeNull();
  }
});
