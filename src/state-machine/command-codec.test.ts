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
