/** `watch`: prints what happens to keys, and runs a program for each event if one is named. */
import { errCompacted, type WatchCreateRequestInit, type WatchResponse } from "../../api/index.ts";
import { etcdErrorOf } from "../../client/index.ts";
import {
  badArguments,
  boolFlag,
  type Command,
  ExitCode,
  ExitError,
  FlagSet,
  int64Flag,
} from "../args/index.ts";
import { InputLines } from "../output/index.ts";
import type { ControlContext } from "./context.ts";
import { keyRange, prefixRange, singleKey } from "./key-range.ts";
import { runForEvents } from "./run-for-events.ts";
import { errorText, type Session, withSession } from "./session.ts";
import { splitWords } from "./split-words.ts";
import { type WatchArguments, watchArguments } from "./watch-arguments.ts";

const WATCH_FLAGS = [
  { ...boolFlag("interactive", "read what to watch from standard input"), shorthand: "i" },
  boolFlag("prefix", "watch all keys that begin with <key>"),
  int64Flag("rev", "first revision to show"),
  boolFlag("prev-kv", "also print what keys were before"),
  boolFlag("progress-notify", "let the member tell now and then how far it is"),
];

export const watchCommand: Command<ControlContext> = {
  name: "watch",
  usage: "[options] [key or prefix] [range_end] [--] [exec-command arg1 arg2 ...]",
  short: "Prints what happens to keys",
  flags: WATCH_FLAGS,
  async run(context, flags) {
    if (flags.flag("interactive")) return watchInteractively(context, flags);
    const parsed = argumentsOf(context, flags);
    if ("failure" in parsed) badArguments(parsed.failure);
    await withSession(context, flags, async (session) => {
      await follow(session, requestOf(flags, parsed), parsed.program);
      throw new ExitError(ExitCode.interrupted, "watch is canceled by the server");
    });
  },
};

function argumentsOf(
  { environment }: ControlContext,
  flags: FlagSet,
): WatchArguments | { failure: string } {
  const { ETCDCTL_WATCH_KEY: key = "", ETCDCTL_WATCH_RANGE_END: end = "" } = environment;
  return watchArguments(flags, key, end);
}

function requestOf(flags: FlagSet, { key, rangeEnd }: WatchArguments): WatchCreateRequestInit {
  const range =
    rangeEnd !== null
      ? keyRange(key, rangeEnd)
      : flags.flag("prefix")
        ? prefixRange(key)
        : singleKey(key);
  return {
    ...range,
    start_revision: flags.number("rev"),
    prev_kv: flags.flag("prev-kv"),
    progress_notify: flags.flag("progress-notify"),
  };
}

/** Prints until the watch ends. */
async function follow(
  session: Session,
  request: WatchCreateRequestInit,
  program: readonly string[],
): Promise<void> {
  const { io } = session.context;
  for await (const response of session.client.watch.iterate(request)) {
    if (response.created && !response.canceled) continue;
    if (response.canceled) {
      io.stderr.write(`watch was canceled (${cancelText(response)})\n`);
    }
    if (isProgress(response)) {
      io.stdout.write(`progress notify: ${response.header?.revision ?? 0}\n`);
    }
    io.stdout.write(session.printer.watch(response));
    if (program.length > 0) await runForEvents(session.context, program, response);
  }
}

function isProgress(response: WatchResponse): boolean {
  const { events, canceled, created, header } = response;
  const empty = events.length === 0 && response.compact_revision === 0;
  return empty && !canceled && !created && (header?.revision ?? 0) !== 0;
}

const FAILED_PRECONDITION = 9;

function cancelText(response: WatchResponse): string {
  if (response.compact_revision !== 0) return errCompacted.message;
  if (response.cancel_reason !== "") {
    return errorText(etcdErrorOf(FAILED_PRECONDITION, response.cancel_reason));
  }
  return "etcdserver: mvcc: required revision is a future revision";
}

/** Reads `watch ...` and `progress` lines; the end of the input ends the program. */
async function watchInteractively(context: ControlContext, flags: FlagSet): Promise<void> {
  await withSession(context, flags, async (session) => {
    const lines = new InputLines(context.io.stdin);
    const failed = Promise.withResolvers<never>();
    // A failure inside a running watch ends the program although nobody waits for that watch.
    await Promise.race([failed.promise, readCommands(session, lines, failed.reject)]);
  });
}

async function readCommands(
  session: Session,
  lines: InputLines,
  onFailure: (error: unknown) => void,
): Promise<void> {
  const { stderr } = session.context.io;
  for (;;) {
    const line = await lines.next();
    if (line === null) {
      throw new ExitError(ExitCode.invalidInput, "error reading watch request line: EOF");
    }
    const words = splitWords(line);
    if (words === null) throw new ExitError(ExitCode.invalidInput, "invalid syntax");
    if (words.length === 0) {
      stderr.write(`Invalid command: ${line} (watch and progress supported)\n`);
    } else if (words[0] === "progress") session.client.watch.requestProgress();
    else if (words[0] === "watch") startWatch(session, line, words.slice(1), onFailure);
    else stderr.write(`Invalid command ${line} (only support watch)\n`);
  }
}

function startWatch(
  session: Session,
  line: string,
  words: readonly string[],
  onFailure: (error: unknown) => void,
): void {
  const { context } = session;
  if (words.length === 0 && (context.environment.ETCDCTL_WATCH_KEY ?? "") === "") {
    context.io.stderr.write(`Invalid command ${line} (command type or key is not provided)\n`);
    return;
  }
  const flags = new FlagSet(WATCH_FLAGS);
  const failure = words.includes("-h") || words.includes("--help") ? HELP : flags.parse(words);
  if (failure !== null) badArguments(failure);
  const parsed = argumentsOf(context, flags);
  if ("failure" in parsed) badArguments(parsed.failure);
  follow(session, requestOf(flags, parsed), parsed.program).catch(onFailure);
}

/** What the Go library says of a help flag where there is no help. */
const HELP = "pflag: help requested";
