import { expect, test } from "bun:test";
import fc from "fast-check";
import { utf8 } from "../base/bytes.ts";
import { encodeCbor } from "../base/cbor.ts";
import {
  decodeHashAnswer,
  decodeHashQuestion,
  encodeHashAnswer,
  encodeHashQuestion,
  type HashAnswer,
} from "./hash-messages.ts";

const revision = fc.integer({ min: 1, max: Number.MAX_SAFE_INTEGER });
const compactRevision = fc.integer({ min: -1, max: Number.MAX_SAFE_INTEGER });
const hash = fc.integer({ min: 0, max: 2 ** 32 - 1 });

test("questions and answers come back as they were", () => {
  fc.assert(
    fc.property(revision, compactRevision, hash, (at, compacted, sum) => {
      const question = { revision: at, compactRevision: compacted };
      expect(decodeHashQuestion(encodeHashQuestion(question))).toEqual(question);
      const answers: HashAnswer[] = [
        {
          kind: "hash",
          hash: { hash: sum, compactRevision: compacted, hashRevision: at },
          currentRevision: at,
        },
        { kind: "compacted", currentRevision: at },
        { kind: "future", currentRevision: at },
        { kind: "busy" },
        { kind: "other-compaction", compactRevision: compacted, currentRevision: at },
      ];
      for (const answer of answers) {
        expect(decodeHashAnswer(encodeHashAnswer(answer))).toEqual(answer);
      }
    }),
  );
});

test("whatever else arrives is no question and no answer", () => {
  const noQuestions = [[], [1], [0, 1], [1, -2], [1.5, 1], ["1", 1], [1, 1, 1], [1, null]];
  for (const body of noQuestions) expect(decodeHashQuestion(encodeCbor(body))).toBeNull();
  expect(decodeHashQuestion(utf8("x"))).toBeNull();
  expect(decodeHashQuestion(new Uint8Array(0))).toBeNull();
  const noAnswers: [number, (number | string)[]][] = [
    [0, [2 ** 32, 1, 1, 1]],
    [0, [-1, 1, 1, 1]],
    [0, [1, 1, 1]],
    [1, []],
    [3, [1]],
    [4, [1]],
    [5, []],
    [404, []],
    [-1, []],
  ];
  for (const [status, body] of noAnswers) {
    expect(decodeHashAnswer({ status, body: encodeCbor(body) })).toBeNull();
  }
  fc.assert(
    fc.property(
      fc.integer({ min: -1, max: 6 }),
      fc.uint8Array({ maxLength: 30 }),
      (status, body) => {
        decodeHashAnswer({ status, body });
        decodeHashQuestion(body);
      },
    ),
  );
});
