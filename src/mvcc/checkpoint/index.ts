export { loadCheckpoint } from "./checkpoint-loader.ts";
export type { CheckpointProgress } from "./checkpoint-writer.ts";
export { CheckpointWriter } from "./checkpoint-writer.ts";
export type { CheckpointSink, CheckpointSource } from "./format.ts";
