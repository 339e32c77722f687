/** The naive twin of a tree: maps and sorting. Tests hold the real one against it. */
import { expect } from "bun:test";
import { bytesToHex, compareBytes } from "../../base/bytes.ts";
import type { BucketReader } from "../bucket.ts";

export class BucketModel {
  readonly values = new Map<string, Uint8Array>();
  readonly buckets = new Map<string, BucketModel>();
  sequence = 0;

  clone(): BucketModel {
    const copy = new BucketModel();
    for (const [key, value] of this.values) copy.values.set(key, value);
    for (const [name, bucket] of this.buckets) copy.buckets.set(name, bucket.clone());
    copy.sequence = this.sequence;
    return copy;
  }

  sortedKeys(): string[] {
    const all = [...this.values.keys(), ...this.buckets.keys()];
    return all.sort((a, b) => compareBytes(Buffer.from(a, "hex"), Buffer.from(b, "hex")));
  }
}

/**
 * Everything that a reader can see is what the model has, forwards, backwards, by key and by seek.
 */
export function expectSameTree(reader: BucketReader, model: BucketModel): void {
  expect(reader.sequence()).toBe(model.sequence);
  const keys = model.sortedKeys();
  const seen: string[] = [];
  const cursor = reader.cursor();
  for (let more = cursor.first(); more; more = cursor.next()) {
    const key = bytesToHex(cursor.key());
    seen.push(key);
    if (cursor.isBucket() !== model.buckets.has(key)) expect.unreachable(`kind of ${key}`);
    if (!cursor.isBucket()) expectValue(cursor.value(), model.values.get(key), key);
  }
  expect(seen).toEqual(keys);
  seen.length = 0;
  for (let more = cursor.last(); more; more = cursor.previous())
    seen.push(bytesToHex(cursor.key()));
  expect(seen.reverse()).toEqual(keys);
  for (const [key, value] of model.values) {
    expectValue(reader.get(Buffer.from(key, "hex")), value, key);
  }
  for (let i = 0; i < keys.length; i += 7) {
    // Just after one key the next one follows.
    const after = Buffer.from(`${keys[i]}00`, "hex");
    const found = cursor.seek(after);
    const expected = keys[i + 1];
    expect(found ? bytesToHex(cursor.key()) : undefined).toBe(expected);
  }
  for (const [name, bucket] of model.buckets) {
    const inner = reader.bucket(Buffer.from(name, "hex"));
    if (inner === undefined) throw new Error(`bucket ${name} is missing`);
    expectSameTree(inner, bucket);
  }
}

function expectValue(value: Uint8Array | undefined, expected: Uint8Array | undefined, key: string) {
  if (value === undefined || expected === undefined || compareBytes(value, expected) !== 0) {
    expect(value && bytesToHex(value), `value of ${key}`).toBe(expected && bytesToHex(expected));
  }
}
