import * as errors from "./errors.ts";
import { EtcdError } from "./errors.ts";

const byMessage = new Map<string, EtcdError>();
for (const value of Object.values(errors)) {
  if (value instanceof EtcdError) byMessage.set(value.message, value);
}

/** The known error with this text, for clients that get only code and text; undefined for any other text. */
export function errorOfMessage(message: string): EtcdError | undefined {
  return byMessage.get(message);
}
