/** Door of mvcc/watch. */
export type { EventSelection } from "./event-selection.ts";
export { WatchHub, type WatchStatistics } from "./watch-hub.ts";
export type { CreateProblem, WatchStream } from "./watch-stream.ts";
export type { Watcher, WatcherRequest, WatcherState, WatchSink } from "./watcher.ts";
