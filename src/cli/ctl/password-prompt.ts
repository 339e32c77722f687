/** Asks for a password; on a terminal the letters are not shown. */
import type { CommandIo } from "../output/index.ts";
import { InputLines } from "../output/index.ts";

interface TerminalInput {
  setRawMode?(raw: boolean): unknown;
}

const END_OF_TEXT = "\u0003";
const BACKSPACES = ["\u0008", "\u007f"];

export async function askPassword(io: CommandIo): Promise<string> {
  io.stdout.write("Password: ");
  const terminal = io.stdin as TerminalInput;
  if (!io.stdin.isTTY || terminal.setRawMode === undefined) {
    return ((await new InputLines(io.stdin).next()) ?? "").replace(/\r$/, "");
  }
  terminal.setRawMode(true);
  try {
    return await readUnseen(io);
  } finally {
    terminal.setRawMode(false);
    io.stdout.write("\n");
  }
}

async function readUnseen(io: CommandIo): Promise<string> {
  let password = "";
  for await (const chunk of io.stdin) {
    for (const letter of typeof chunk === "string" ? chunk : Buffer.from(chunk).toString("utf8")) {
      if (letter === "\r" || letter === "\n" || letter === END_OF_TEXT) return password;
      if (BACKSPACES.includes(letter)) password = password.slice(0, -1);
      else password += letter;
    }
  }
  return password;
}
