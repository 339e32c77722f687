import { expect, test } from "bun:test";
import { METHODS } from "../generated/methods.ts";
import { ProtoWriter } from "../protobuf/writer.ts";
import { decodeJson } from "./json-decode.ts";

const encoder = new TextEncoder();

function errorOf(type: string, body: string | Uint8Array): string {
  const result = decodeJson(type, typeof body === "string" ? encoder.encode(body) : body);
  return result.ok ? "accepted" : result.error.replace("\u00a0", " ");
}

function messageOf(type: string, body: string): Record<string, unknown> {
  const result = decodeJson(type, encoder.encode(body));
  if (!result.ok) throw new Error(result.error);
  return result.message as Record<string, unknown>;
}

// Bodies and what a real etcd 3.5.30 says to them.
const RANGE_ERRORS: readonly (readonly [body: string, error: string])[] = [
  ['{"key":1}', "proto: (line 1:8): invalid value for bytes field key: 1"],
  ["[]", "proto: syntax error (line 1:1): unexpected token ["],
  ["null", "proto: syntax error (line 1:1): unexpected token null"],
  ['"a"', 'proto: syntax error (line 1:1): unexpected token "a"'],
  ["x", "invalid character 'x' looking for beginning of value"],
  ["é", "invalid character 'Ã' looking for beginning of value"],
  ['{"key":"Zm9v",}', "invalid character '}' looking for beginning of object key string"],
  ["{key:1}", "invalid character 'k' looking for beginning of object key string"],
  ['{"key" 1}', "invalid character '1' after object key"],
  ['{"key":"Zm9v" "x":1}', "invalid character '\"' after object key:value pair"],
  ['{"key":tru}', "invalid character '}' in literal true (expecting 'e')"],
  ['{"key":01}', "invalid character '1' after object key:value pair"],
  ['{"key":-}', "invalid character '}' in numeric literal"],
  ['{"key":1.}', "invalid character '}' after decimal point in numeric literal"],
  ['{"key":1e}', "invalid character '}' in exponent of numeric literal"],
  ['{"key":"\\x"}', "invalid character 'x' in string escape code"],
  ['{"key":"\\u12"}', "invalid character '\"' in \\u hexadecimal character escape"],
  ['{"key":"a\tb"}', "invalid character '\\t' in string literal"],
  ['{"key":"Zm9v"', "unexpected EOF"],
  ['{"key":"Zm9', "unexpected EOF"],
  ["[1,]", "invalid character ']' looking for beginning of value"],
  ["[1 2]", "invalid character '2' after array element"],
  ['{"key":"Zm9v","key":"Zm9v"}', 'proto: (line 1:15): duplicate field "key"'],
  ['{"range_end":"AA==","rangeEnd":"AA=="}', 'proto: (line 1:21): duplicate field "rangeEnd"'],
  ['{"limit":1.5}', "proto: (line 1:10): invalid value for int64 field limit: 1.5"],
  ['{"limit":" 1"}', 'proto: (line 1:10): invalid value for int64 field limit: " 1"'],
  ['{"limit":"1x"}', 'proto: (line 1:10): invalid value for int64 field limit: "1x"'],
  ['{"limit":""}', 'proto: (line 1:10): invalid value for int64 field limit: ""'],
  ['{"limit":1e30}', "proto: (line 1:10): invalid value for int64 field limit: 1e30"],
  ['{"limit":{}}', "proto: (line 1:10): invalid value for int64 field limit: {"],
  [
    '{"limit":9223372036854775808}',
    "proto: (line 1:10): invalid value for int64 field limit: 9223372036854775808",
  ],
  [
    '{"serializable":"true"}',
    'proto: (line 1:17): invalid value for bool field serializable: "true"',
  ],
  ['{"sort_order":1.5}', "proto: (line 1:15): invalid value for enum field sortOrder: 1.5"],
  ['{"key":"_+8"}', 'proto: (line 1:8): invalid value for bytes field key: "_+8"'],
  ['{"key":"Z"}', 'proto: (line 1:8): invalid value for bytes field key: "Z"'],
  ['{"key":" Zm9v"}', 'proto: (line 1:8): invalid value for bytes field key: " Zm9v"'],
  ['{"key":"Zm\\n9"}', 'proto: (line 1:8): invalid value for bytes field key: "Zm\\n9"'],
  ['  \n{"a":1,\n  "limit": "x"}', 'proto: (line 2:12): invalid value for int64 field limit: "x"'],
  ['{"😀":1,"limit":"x"}', 'proto: (line 1:16): invalid value for int64 field limit: "x"'],
  ['{"key":"\\ud800"}', "proto: unexpected EOF"],
  [
    '{"serializable":1,"key":1}',
    "proto: (line 1:17): invalid value for bool field serializable: 1",
  ],
];

const TXN_ERRORS: readonly (readonly [body: string, error: string])[] = [
  ['{"compare":{}}', "proto: syntax error (line 1:12): unexpected token {"],
  ['{"compare":[null]}', "proto: syntax error (line 1:13): unexpected token null"],
  ['{"success":[{"request_put":1}]}', "proto: syntax error (line 1:28): unexpected token 1"],
  [
    '{"success":[{"request_put":{"key":"YQ=="},"request_range":{"key":"YQ=="}}]}',
    'proto: (line 1:43): error parsing "request_range", oneof etcdserverpb.RequestOp.request is already set',
  ],
  [
    '{"success":[{"request_txn":{"success":[{"request_put":{"lease":"abc"}}]}}]}',
    'proto: (line 1:64): invalid value for int64 field lease: "abc"',
  ],
];

test("decodeJson refuses bodies with the texts of a real etcd", () => {
  for (const [body, error] of RANGE_ERRORS) {
    expect([body, errorOf("RangeRequest", body)]).toEqual([body, error]);
  }
  for (const [body, error] of TXN_ERRORS) {
    expect([body, errorOf("TxnRequest", body)]).toEqual([body, error]);
  }
});

test("decodeJson refuses strings that are no UTF-8 and says where they begin", () => {
  const body = Uint8Array.of(...encoder.encode('{"limit":1,"key":"a'), 0xff, 0x22, 0x7d);
  expect(errorOf("RangeRequest", body)).toBe(
    "proto: syntax error (line 1:18): invalid UTF-8 in string",
  );
});

test("decodeJson takes what etcd takes", () => {
  const empty = messageOf("RangeRequest", "");
  expect(empty.key).toHaveLength(0);
  expect(empty.limit).toBe(0);
  expect(messageOf("RangeRequest", '{"key":"Zm9v"} and more').key).toEqual(encoder.encode("foo"));
  expect(messageOf("RangeRequest", '{"ke\\u0079":"_-8"}').key).toEqual(Uint8Array.of(255, 239));
  expect(messageOf("RangeRequest", '{"key":null,"limit":null}')).toEqual(empty);
  const limits = ['"5"', "5", "5.0", '"5e0"', "50e-1", '"5 x"', '"5,"', "0.5E1"];
  for (const limit of limits) {
    expect([limit, messageOf("RangeRequest", `{"limit":${limit}}`).limit]).toEqual([limit, 5]);
  }
  expect(messageOf("RangeRequest", '{"sortOrder":"DESCEND"}').sort_order).toBe(2);
  expect(messageOf("RangeRequest", '{"sort_order":99}').sort_order).toBe(99);
  expect(messageOf("RangeRequest", '{"sort_order":"OTHER"}').sort_order).toBe(0);
  expect(messageOf("RangeRequest", '{"other":1,"other":{"a":[null]}}')).toEqual(empty);
});

test("decodeJson keeps 64-bit identities exact and tells absent from empty in a oneof", () => {
  for (const text of ["9007199254740993", '"9007199254740993"']) {
    expect(messageOf("PutRequest", `{"lease":${text}}`).lease).toBe(9007199254740993n);
  }
  const id = 18446744073709551615n;
  expect(messageOf("MemberRemoveRequest", `{"ID":${id}}`).ID).toBe(id);
  expect(errorOf("MemberRemoveRequest", '{"ID":-1}')).toContain(
    "invalid value for uint64 field ID",
  );
  const { compare } = messageOf("TxnRequest", '{"compare":[{"version":0}]}');
  const [first] = compare as { version?: number; mod_revision?: number }[];
  expect([first!.version, first!.mod_revision]).toEqual([0, undefined]);
});

test("decodeJson bounds the depth by what the binary decoder takes", () => {
  const nested = (levels: number): string =>
    `${'{"success":[{"request_txn":'.repeat(levels)}{}${"}]}".repeat(levels)}`;
  expect(errorOf("TxnRequest", nested(10_000))).toBe("exceeded max depth");
  expect(errorOf("TxnRequest", "[".repeat(100_000))).toBe("exceeded max depth");
  const row = METHODS.find((method) => method.name === "Txn")!;
  let accepted = 0;
  for (let levels = 30; levels < 70; levels++) {
    const decoded = decodeJson("TxnRequest", encoder.encode(nested(levels)));
    if (!decoded.ok) continue;
    const writer = new ProtoWriter();
    row.encodeRequest(writer, decoded.message as never);
    expect(row.decodeRequest(writer.finish())).toEqual(decoded.message);
    accepted++;
  }
  expect(accepted).toBeGreaterThan(10);
});
