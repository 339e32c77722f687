/** Door of the JSON side of the API: request bodies in, answers out. Apart from ../index.ts, because it loads zod. */
export { decodeJson, decodeJsonText, type JsonDecoded } from "./json-decode.ts";
export {
  encodeJson,
  encodeJsonError,
  encodeJsonErrorLine,
  encodeJsonLine,
} from "./json-encode.ts";
export { ROUTES } from "./routes.ts";
