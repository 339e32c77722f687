/** `alarm`: list, disarm. */
import { type AlarmMember, AlarmRequestAlarmAction } from "../../api/index.ts";
import { badArguments, type Command, type FlagSet } from "../args/index.ts";
import type { ControlContext } from "./context.ts";
import { withSession } from "./session.ts";

const list: Command<ControlContext> = {
  name: "list",
  short: "Names all alarms",
  async run(context, flags) {
    refuseWords(flags, "alarm list");
    await withSession(context, flags, async ({ client, printer, bounded }) => {
      const response = await client.maintenance.alarm({}, bounded);
      context.io.stdout.write(printer.alarms(response));
    });
  },
};

const disarm: Command<ControlContext> = {
  name: "disarm",
  short: "Takes all alarms back",
  async run(context, flags) {
    refuseWords(flags, "alarm disarm");
    await withSession(context, flags, async ({ client, printer, bounded }) => {
      const { alarms } = await client.maintenance.alarm({}, bounded);
      const disarmed: AlarmMember[] = [];
      for (const { memberID, alarm } of alarms) {
        const action = AlarmRequestAlarmAction.DEACTIVATE;
        const response = await client.maintenance.alarm({ action, memberID, alarm }, bounded);
        disarmed.push(...response.alarms);
      }
      context.io.stdout.write(printer.alarms({ alarms: disarmed }));
    });
  },
};

export const alarmCommand: Command<ControlContext> = {
  name: "alarm",
  usage: "<subcommand>",
  short: "Commands about alarms",
  commands: [disarm, list],
};

function refuseWords(flags: FlagSet, command: string): void {
  if (flags.words.length === 0) return;
  badArguments(`${command} command accepts no arguments`);
}
