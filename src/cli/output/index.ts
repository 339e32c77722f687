export { argumentOfBytes, bytesOfArgument, sequenceLength } from "./argument-bytes.ts";
export { byteSizeText } from "./byte-size.ts";
export type { CommandInput, CommandIo, CommandOutput, Environment } from "./command-io.ts";
export {
  type JsonText,
  jsonBytes,
  jsonList,
  jsonObject,
  jsonString,
  messageEntries,
  messageJson,
} from "./go-json.ts";
export { goQuote, goQuoteText } from "./go-quote.ts";
export { goUnquote, type Unquoted } from "./go-unquote.ts";
export { hexText } from "./hex-text.ts";
export { InputLines, readInput } from "./input-lines.ts";
export { type LogLevel, type LogLine, logLine } from "./log-line.ts";
export { tableText } from "./table.ts";
