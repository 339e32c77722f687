import { expect, test } from "bun:test";
import { decodePutRequest, decodeRangeRequest, decodeTxnRequest } from "../../../api/index.ts";
import {
  digitsAt,
  fixedRangeSource,
  type KeyChoice,
  numberedPutSource,
  putDigits,
  putSource,
  rangeSource,
  txnSource,
} from "./request-source.ts";

const KEYS: KeyChoice = {
  keyBytes: 5,
  keySpaceSize: 4,
  isSequential: true,
  random: () => 0.75,
};

function body(message: Uint8Array): Uint8Array {
  expect(message[0]).toBe(0);
  expect(Buffer.from(message).readUInt32BE(1)).toBe(message.length - 5);
  return message.slice(5);
}

const text = (bytes: Uint8Array) => Buffer.from(bytes).toString();

test("puts walk through the key space in order, or take keys at random", () => {
  const source = putSource(KEYS, 300);
  const keys = [0, 1, 2, 3, 4, 5].map((index) => {
    const { key, value } = decodePutRequest(body(source.next(index, 0)));
    expect(text(value)).toBe("v".repeat(300));
    return text(key);
  });
  expect(keys).toEqual(["00000", "00001", "00002", "00003", "00000", "00001"]);
  const random = putSource({ ...KEYS, isSequential: false }, 0);
  expect(text(decodePutRequest(body(random.next(0, 0))).key)).toBe("00003");
});

test("the operations of a txn have different keys", () => {
  const source = txnSource(KEYS, 8, 3);
  const keysOf = (index: number) =>
    decodeTxnRequest(body(source.next(index, 0))).success.map((each) =>
      text(each.request_put!.key),
    );
  expect(keysOf(0)).toEqual(["00000", "00001", "00002"]);
  expect(keysOf(1)).toEqual(["00003", "00000", "00001"]);
});

test("ranges carry their options and a key of the space or a fixed one", () => {
  const options = { serializable: true, limit: 7, count_only: true };
  const moving = decodeRangeRequest(body(rangeSource(KEYS, options).next(2, 0)));
  expect(moving).toMatchObject({ serializable: true, limit: 7, count_only: true });
  expect(text(moving.key)).toBe("00002");
  const fixed = fixedRangeSource({ key: Buffer.from("a"), range_end: Buffer.from("b") });
  const request = decodeRangeRequest(body(fixed.next(9, 0)));
  expect([text(request.key), text(request.range_end)]).toEqual(["a", "b"]);
});

test("keys of one byte are found among lengths that look alike", () => {
  const keys = { ...KEYS, keyBytes: 1, keySpaceSize: 10 };
  for (const valueBytes of [0, 1, 48, 127, 128, 255, 16_383]) {
    const source = txnSource(keys, valueBytes, 2);
    const request = decodeTxnRequest(body(source.next(1, 0)));
    expect(request.success.map((each) => text(each.request_put!.key))).toEqual(["2", "3"]);
  }
});

test("numbered puts carry their number and tell their start", () => {
  const started: number[][] = [];
  const source = numberedPutSource(Buffer.from("k"), 12, 8, (index, startMs) => {
    started.push([index, startMs]);
  });
  const { value } = decodePutRequest(body(source.next(1234, 5.5)));
  expect(text(value)).toBe("00001234vvvv");
  expect(digitsAt(value, 0, 8)).toBe(1234);
  expect(started).toEqual([[1234, 5.5]]);
});

test("digits are refused where none stand", () => {
  const bytes = new Uint8Array(4);
  putDigits(bytes, 0, 4, 42);
  expect(text(bytes)).toBe("0042");
  expect(digitsAt(bytes, 0, 5)).toBe(-1);
  expect(digitsAt(Buffer.from("00x2"), 0, 4)).toBe(-1);
});
