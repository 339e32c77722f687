import { expect, test } from "bun:test";
import fc from "fast-check";
import { decodeTxnRequest, encodeTxnRequest, ProtoWriter, type RequestOp } from "../api/index.ts";
import { latin1Bytes } from "../base/bytes.ts";
import { EarlierWrites } from "./earlier-writes.ts";

type Step = { put: string } | { deleteFrom: string };

function operationOf(step: Step): RequestOp {
  const operation =
    "put" in step
      ? { request_put: { key: latin1Bytes(step.put) } }
      : {
          request_delete_range: {
            key: latin1Bytes(step.deleteFrom),
            range_end: new Uint8Array([0]),
          },
        };
  const writer = new ProtoWriter();
  encodeTxnRequest(writer, { success: [operation] });
  return decodeTxnRequest(writer.finish()).success[0]!;
}

test("a key is deleted when an open delete at or before it came after its last put", () => {
  const key = fc.string({ unit: fc.constantFrom("a", "b", "\xff"), minLength: 1, maxLength: 2 });
  const step = fc.oneof(fc.record({ put: key }), fc.record({ deleteFrom: key }));
  fc.assert(
    fc.property(fc.array(step, { maxLength: 12 }), key, (steps: Step[], asked) => {
      const earlier = new EarlierWrites();
      let expected = false;
      for (const one of steps) {
        earlier.note(operationOf(one));
        if ("put" in one) expected &&= one.put !== asked;
        else expected ||= one.deleteFrom <= asked;
        expect(earlier.deleted(latin1Bytes(asked))).toBe(expected);
      }
    }),
  );
});
