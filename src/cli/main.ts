import { join } from 'node:path'
import { isatty } from 'node:tty'
import { ifSupervised } from '../control/slot-actions.ts'
import { loadConfig } from '../profile/config/config.ts'
import { HermesError } from '../system/errors.ts'
import { hotCommand } from './commands/hot.ts'
import type { Context } from './context/context.ts'
import { parseWords } from './parser/parser.ts'
import { printOutcome } from './terminal/output.ts'
import { COMMANDS, GROUPS } from './tree.ts'

/** A boot with slow hooks may take longer; then the command is tried as it is. */
const BOOT_MS = 30_000

/**
 * Runs any command.
 * @param words what is left after `-p` and `--json` were taken out
 * @returns the exit code
 */
export async function commandLine(context: Context, words: readonly string[]): Promise<number> {
  if (words.length === 0 || (words.length === 1 && words[0] === '--tui')) return bare(context)
  // `hermes help gateway start` is what people type who know git.
  const asked = words[0] === 'help' ? [...words.slice(words[1] === 'help' ? 2 : 1), '--help'] : words
  const parsed = parseWords(asked, COMMANDS, GROUPS)
  if ('help' in parsed) {
    context.output.out(parsed.help)
    return 0
  }
  if (parsed.command.writes) await bootIsOver(context)
  return printOutcome(await parsed.command.run(context, parsed.input), context.json, context.output)
}

/**
 * `docker run -d …` and at once `docker exec … hermes profile create`: the volume may not have been given to the runtime user yet.
 * The supervisor answers this question when the boot is behind it.
 */
async function bootIsOver(context: Context): Promise<void> {
  try {
    await ifSupervised(context, (client) => client.request('reconcile', {}, { timeoutMs: BOOT_MS }))
  } catch (error) {
    // Stopping, or the volume is another container's: the command itself says what that means for it.
    if (!(error instanceof HermesError)) throw error
  }
}

/** `hermes` alone: on a terminal a conversation, where there is somebody to talk to; else how things stand and what can be typed. */
async function bare(context: Context): Promise<number> {
  if (!context.json && isatty(0) && isatty(1) && hasAgent(context)) return commandLine(context, ['chat'])
  try {
    printOutcome(await (hotCommand(context, ['status']) ?? {}), context.json, context.output)
  } catch (error) {
    if (!(error instanceof HermesError)) throw error
    context.output.err(`hermes: ${error.message}\n`)
  }
  const parsed = parseWords(['--help'], COMMANDS, GROUPS)
  if ('help' in parsed && !context.json) context.output.out(`\n${parsed.help}`)
  return 0
}

function hasAgent(context: Context): boolean {
  const { command, openai } = loadConfig(join(context.profile().dir, 'config.yaml')).config.agent
  return command !== null || openai !== null
}
