/**
 * A message as JSON text, byte for byte as etcd's gateway writes it: names of the .proto file in its order,
 * defaults left out, 64-bit integers as strings, bytes as padded base64, enums by name. Answers of unary calls
 * have a space after commas (so does the reference build; other builds of etcd may not), lines of streams
 * have none and escape what HTML would read. Stored records given as encoded bytes are decoded on the way.
 */
import { decodeKeyValue } from "../generated/messages.ts";
import { ENUM_VALUES, type FieldRow, MESSAGE_FIELDS } from "../generated/tables.ts";

type WriteValue = (value: unknown) => string;
type Message = Record<string, unknown>;

interface FieldWriter {
  readonly name: string;
  /** `"name":` */
  readonly label: string;
  readonly repeated: boolean;
  /** What is left out; undefined for fields whose presence counts. */
  readonly empty: unknown;
  readonly isBytes: boolean;
  readonly write: WriteValue;
}

/** What writes one spelling of JSON. */
class JsonStyle {
  readonly #comma: string;
  readonly #text: WriteValue;
  readonly #messages = new Map<string, readonly FieldWriter[]>();

  constructor(comma: string, text: WriteValue) {
    this.#comma = comma;
    this.#text = text;
  }

  write(type: string, value: unknown): string {
    return this.#message(this.#writersOf(type), value as Message);
  }

  #writersOf(type: string): readonly FieldWriter[] {
    let writers = this.#messages.get(type);
    if (writers === undefined) {
      writers = MESSAGE_FIELDS[type]!.map((row) => this.#fieldWriter(row));
      this.#messages.set(type, writers);
    }
    return writers;
  }

  #message(writers: readonly FieldWriter[], message: Message): string {
    let out = "{";
    for (const field of writers) {
      const value = message[field.name];
      if (value === undefined || value === field.empty) continue;
      if (field.repeated) {
        const items = value as readonly unknown[];
        if (items.length === 0) continue;
        out += out.length === 1 ? field.label : this.#comma + field.label;
        out += this.#list(field, items);
        continue;
      }
      if (field.isBytes && (value as Uint8Array).length === 0) continue;
      out += out.length === 1 ? field.label : this.#comma + field.label;
      out += field.write(value);
    }
    return `${out}}`;
  }

  #list(field: FieldWriter, items: readonly unknown[]): string {
    let out = `[${field.write(items[0])}`;
    for (let i = 1; i < items.length; i++) out += this.#comma + field.write(items[i]);
    return `${out}]`;
  }

  #fieldWriter(row: FieldRow): FieldWriter {
    const hasPresence = row.oneof !== undefined || row.repeated;
    return {
      name: row.name,
      label: `"${row.name}":`,
      repeated: row.repeated,
      empty: hasPresence ? undefined : emptyOf(row.type),
      isBytes: row.type === "bytes" && !hasPresence,
      write: this.#valueWriter(row.type),
    };
  }

  #valueWriter(type: string): WriteValue {
    switch (type) {
      case "bytes":
        return (value) => `"${(value as Uint8Array).toBase64()}"`;
      case "string":
        return this.#text;
      case "bool":
      case "int32":
      case "uint32":
        return String;
    }
    const [kind, detail] = type.split(":") as [string, string];
    if (kind === "message") return this.#nestedWriter(detail);
    if (kind === "enum") return enumWriter(detail);
    return (value) => `"${value}"`;
  }

  #nestedWriter(type: string): WriteValue {
    let writers: readonly FieldWriter[] | undefined;
    return (value) => {
      writers ??= this.#writersOf(type);
      // Only stored records come as encoded bytes.
      const message = value instanceof Uint8Array ? decodeKeyValue(value) : value;
      return this.#message(writers, message as Message);
    };
  }
}

function emptyOf(type: string): unknown {
  if (type.startsWith("message:") || type === "bytes") return undefined;
  if (type.startsWith("big:")) return 0n;
  if (type === "string") return "";
  return type === "bool" ? false : 0;
}

function enumWriter(type: string): WriteValue {
  const names = new Map(Object.entries(ENUM_VALUES[type]!).map(([name, number]) => [number, name]));
  return (value) => {
    const name = names.get(value as number);
    return name === undefined ? String(value) : `"${name}"`;
  };
}

function plainText(value: unknown): string {
  return JSON.stringify(value);
}

function htmlSafeText(value: unknown): string {
  return JSON.stringify(value).replace(
    /[<>&\u2028\u2029]/g,
    (letter) => `\\u${letter.charCodeAt(0).toString(16).padStart(4, "0")}`,
  );
}

const answerStyle = new JsonStyle(", ", plainText);
const lineStyle = new JsonStyle(",", htmlSafeText);

/** The body of a unary call's answer. */
export function encodeJson(type: string, message: unknown): string {
  return answerStyle.write(type, message);
}

/** One line of a stream, with its end. */
export function encodeJsonLine(type: string, message: unknown): string {
  return `{"result":${lineStyle.write(type, message)}}\n`;
}

/** The body that tells an error. */
export function encodeJsonError(code: number, message: string): string {
  return message === "" ? `{"code":${code}}` : `{"code":${code}, "message":${plainText(message)}}`;
}

/** The line that ends a stream with an error. */
export function encodeJsonErrorLine(code: number, message: string): string {
  const text = message === "" ? "" : `,"message":${htmlSafeText(message)}`;
  return `{"error":{"code":${code}${text}}}\n`;
}
