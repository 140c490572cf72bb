import { ATTACHMENT_COMMANDS } from './commands/kanban/attachments/commands.ts'
import { KANBAN_COMMANDS, KANBAN_GROUP } from './commands/kanban/index.ts'
import { runRecorded } from './context/audited.ts'
import type { Context } from './context/context.ts'
import { parseArguments } from './parser/parser.ts'
import { printOutcome } from './terminal/output.ts'

/**
 * Runs `hermes kanban …`. This is a separate bundle because workers and scripts call it often, and the whole command
 * line, with the YAML and schema libraries of `config`, takes twice as long to load.
 * @param args starting with `kanban`
 */
export async function kanbanLine(context: Context, args: readonly string[]): Promise<number> {
  const parsed = parseArguments(args, [...KANBAN_COMMANDS, ...ATTACHMENT_COMMANDS], [KANBAN_GROUP])
  if ('help' in parsed) {
    context.output.out(parsed.help)
    return 0
  }
  return printOutcome(await runRecorded(context, parsed.command, parsed.input), context.json, context.output)
}
