import { join } from 'node:path'
import { isatty } from 'node:tty'
import { ifSupervised } from '../control/slot-actions.ts'
import { loadConfig } from '../profile/config/config.ts'
import { HermesError } from '../system/errors.ts'
import { status } from './commands/frequent.ts'
import { runRecorded } from './context/audited.ts'
import type { Context } from './context/context.ts'
import { parseArguments } from './parser/parser.ts'
import { printOutcome } from './terminal/output.ts'
import { COMMANDS, GROUPS } from './tree.ts'

/** A boot with slow hooks may take longer; the command is then tried anyway. */
const BOOT_MS = 30_000

/**
 * Runs any command.
 * @param args without `-p` and `--json`
 * @returns the exit code
 */
export async function commandLine(context: Context, args: readonly string[]): Promise<number> {
  if (args.length === 0 || (args.length === 1 && ['--tui', '--'].includes(args[0] ?? ''))) return bare(context)
  // Users of git type `hermes help gateway start`.
  const asked = args[0] === 'help' ? [...args.slice(args[1] === 'help' ? 2 : 1), '--help'] : args
  const parsed = parseArguments(asked, COMMANDS, GROUPS)
  if ('help' in parsed) {
    context.output.out(parsed.help)
    return 0
  }
  if (parsed.command.writes) await bootIsOver(context)
  return printOutcome(await runRecorded(context, parsed.command, parsed.input), context.json, context.output)
}

/**
 * Waits until the boot is over: after `docker run -d …`, a `docker exec … hermes profile create` may arrive before
 * the volume belongs to the runtime user. The supervisor answers this request when the boot is done.
 */
async function bootIsOver(context: Context): Promise<void> {
  try {
    await ifSupervised(context, (client) => client.request('ping', { booted: true }, { timeoutMs: BOOT_MS }))
  } catch (error) {
    // The container stops, or another container holds the volume: the command itself reports that.
    if (!(error instanceof HermesError)) throw error
  }
}

/**
 * `hermes` without arguments: on a terminal with a configured agent it starts a conversation; otherwise it prints the
 * status and the help.
 */
async function bare(context: Context): Promise<number> {
  if (!context.json && isatty(0) && isatty(1) && hasAgent(context)) return commandLine(context, ['chat'])
  try {
    printOutcome(await status(context), context.json, context.output)
  } catch (error) {
    if (!(error instanceof HermesError)) throw error
    context.output.err(`hermes: ${error.message}\n`)
  }
  const parsed = parseArguments(['--help'], COMMANDS, GROUPS)
  if ('help' in parsed && !context.json) context.output.out(`\n${parsed.help}`)
  return 0
}

function hasAgent(context: Context): boolean {
  const { command, openai } = loadConfig(join(context.profile().dir, 'config.yaml')).config.agent
  return command !== null || openai !== null
}
