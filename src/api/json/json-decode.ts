/**
 * A request's JSON to a message. The text is read (json-text.ts), checked by the message's zod schema
 * (json-schemas.ts), and when that fails, json-explain.ts says it in etcd's words. Called by the JSON gateway;
 * never throws on what a client sent.
 */
import { explainIssues, position } from "./json-explain.ts";
import { schemaOf } from "./json-schemas.ts";
import { JsonStringError, JsonText, JsonTextError, type JsonValue } from "./json-text.ts";

export type JsonDecoded =
  | { readonly ok: true; readonly message: unknown }
  | { readonly ok: false; readonly error: string };

// protobuf's Go library puts one of two kinds of space here, by build, so that nobody matches on it; this one
// is what the reference build does.
const PREFIX = "proto:\u00a0";

const strictDecoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });
const lenientDecoder = new TextDecoder("utf-8", { ignoreBOM: true });

/** The first JSON value of a body as a message; what follows it is ignored, an empty body is an empty message. */
export function decodeJson(type: string, body: Uint8Array): JsonDecoded {
  let text: string;
  try {
    text = strictDecoder.decode(body);
  } catch {
    return explainDamagedText(body);
  }
  return decodeJsonText(type, text);
}

export function decodeJsonText(type: string, text: string): JsonDecoded {
  const reader = new JsonText(text);
  if (reader.skipSpace()) return { ok: true, message: schemaOf(type).parse({}) };
  const start = reader.at;
  let value: JsonValue;
  try {
    value = reader.value();
  } catch (error) {
    return explainText(error, text, start);
  }
  const result = schemaOf(type).safeParse(value);
  if (result.success) return { ok: true, message: result.data };
  return failure(PREFIX + explainIssues(type, result.error.issues, text, start));
}

function failure(error: string): JsonDecoded {
  return { ok: false, error };
}

function explainText(error: unknown, text: string, start: number): JsonDecoded {
  if (error instanceof JsonTextError) return failure(error.message);
  if (!(error instanceof JsonStringError)) throw error;
  if (error.message === "") return failure(`${PREFIX}unexpected EOF`);
  return failure(`${PREFIX}syntax error ${position(text, start, error.at)}: ${error.message}`);
}

/** Bytes that are no UTF-8 are an error of the JSON around them, if there is one, else of their string. */
function explainDamagedText(body: Uint8Array): JsonDecoded {
  const text = lenientDecoder.decode(body);
  const reader = new JsonText(text);
  reader.skipSpace();
  const start = reader.at;
  try {
    reader.value();
  } catch (error) {
    return explainText(error, text, start);
  }
  const damageAt = damagedAt(body, text);
  const stringAt = text.lastIndexOf('"', damageAt - 1);
  return failure(
    `${PREFIX}syntax error ${position(text, start, Math.max(stringAt, start))}: invalid UTF-8 in string`,
  );
}

/** Where the lenient text first differs from the bytes: a replacement character that was not sent as one. */
function damagedAt(body: Uint8Array, text: string): number {
  const replaced = new TextEncoder().encode(text);
  let index = 0;
  while (index < body.length && body[index] === replaced[index]) index++;
  return lenientDecoder.decode(replaced.subarray(0, index)).length;
}
