import { expect, test } from "bun:test";
import fc from "fast-check";
import { errTimeout } from "../api/index.ts";
import {
  decodeError,
  decodeLeaseIds,
  decodeSeconds,
  decodeTimes,
  decodeTimesQueries,
  encodeLeaseIds,
  encodeSeconds,
  encodeTimes,
  encodeTimesQueries,
  errorAnswer,
} from "./lease-messages.ts";

const leaseId = fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n });
const seconds = fc.integer({ min: -1, max: 9_000_000_000 });
const key = fc.uint8Array({ maxLength: 20 });

test("what members ask and answer about leases comes back as it was", () => {
  fc.assert(
    fc.property(
      fc.array(leaseId),
      fc.array(seconds),
      fc.array(fc.record({ id: leaseId, withKeys: fc.boolean() })),
      fc.array(fc.record({ secondsLeft: seconds, secondsGranted: seconds, keys: fc.array(key) })),
      (ids, left, queries, times) => {
        expect(decodeLeaseIds(encodeLeaseIds(ids))).toEqual(ids);
        expect(decodeSeconds(encodeSeconds(left))).toEqual(left);
        expect(decodeTimesQueries(encodeTimesQueries(queries))).toEqual(queries);
        const decoded = decodeTimes(encodeTimes(times));
        expect(
          decoded?.map((each) => ({ ...each, keys: each.keys.map((one) => [...one]) })),
        ).toEqual(times.map((each) => ({ ...each, keys: each.keys.map((one) => [...one]) })));
      },
    ),
    { numRuns: 50 },
  );
  expect(decodeError(errorAnswer(errTimeout).body)).toMatchObject({
    code: errTimeout.code,
    message: errTimeout.message,
  });
});

test("other bytes are refused, and nothing is thrown", () => {
  const decoders = [decodeError, decodeLeaseIds, decodeSeconds, decodeTimes, decodeTimesQueries];
  const made = [
    encodeLeaseIds([1n, -1n]),
    encodeSeconds([5, 0]),
    encodeTimesQueries([{ id: 5n, withKeys: true }]),
    encodeTimes([{ secondsLeft: 1, secondsGranted: 2, keys: [new Uint8Array(3)] }]),
  ];
  for (const [i, bytes] of made.entries()) {
    for (const [j, decode] of decoders.slice(1).entries()) {
      const order = [0, 1, 3, 2];
      if (order[i] !== j) expect(decode(bytes)).toBeNull();
    }
    for (const decode of decoders) {
      for (let cut = 0; cut < bytes.length; cut++)
        expect(decode(bytes.subarray(0, cut))).toBeNull();
    }
  }
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 60 }), (bytes) => {
      for (const decode of decoders) decode(bytes);
    }),
    { numRuns: 300 },
  );
});
