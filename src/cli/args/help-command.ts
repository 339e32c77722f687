/** `help [command]`: the same text as `command --help`. */

import type { CommandIo } from "../output/command-io.ts";
import { goQuoteText } from "../output/go-quote.ts";
import type { Command } from "./command.ts";
import { matchCommand } from "./find-command.ts";
import type { Program } from "./run-command.ts";

export function helpCommand<Context>(
  program: () => Program<Context>,
  io: (context: Context) => CommandIo,
): Command<Context> {
  return {
    name: "help",
    usage: "[command]",
    short: "Explains a command",
    long: "Prints the usage of the command that the words after `help` name.",
    async run(context, flags) {
      const { root, helpText, usageStream } = program();
      const out = io(context);
      let path = [root];
      for (const word of flags.words) {
        const next = matchCommand(path[path.length - 1]!.commands ?? [], word);
        if (next === null) {
          if (path.length > 1) break;
          const shown = flags.words.map(backquoted).join(" ");
          out.stderr.write(`Unknown help topic [${shown}]\n`);
          out[usageStream].write(helpText([root]));
          return;
        }
        path = [...path, next];
      }
      out.stdout.write(helpText(path));
    },
  };
}

/** Back quotes where the word allows it, as Go's %#q. */
function backquoted(word: string): string {
  const plain = !word.includes("`") && goQuoteText(word) === JSON.stringify(word);
  return plain ? `\`${word}\`` : goQuoteText(word);
}
