import { Argument, Command as Commander, CommanderError, Option } from 'commander'
import { HermesError } from '../../system/errors.ts'
import type { Command, Group, Input, OptionSpec } from '../context/command.ts'
import { GLOBAL_OPTIONS } from '../context/global-options.ts'
import { suggestion } from './suggestion.ts'

/** The parsed command line: a command with its input, or a help text. */
export type Parsed = { readonly command: Command; readonly input: Input } | { readonly help: string }

/**
 * Parses the command line with commander.
 * @throws HermesError USAGE, naming the nearest command or option
 */
export function parseArguments(
  typed: readonly string[],
  commands: readonly Command[],
  groups: readonly Group[],
): Parsed {
  const args = groupHelp(typed, groups)
  let parsed: Parsed | undefined
  let help = ''
  const shape = (one: Commander): Commander =>
    one
      .exitOverride()
      .helpOption('-h, --help', 'show this help')
      .configureOutput({
        writeOut: (text) => {
          help += text
        },
        writeErr: () => undefined,
      })
      .configureHelp({ helpWidth: 100, showGlobalOptions: true })
  const root = shape(new Commander('hermes'))
    .description('Profiles under supervision: create, start, watch.')
    .usage('[-p NAME] [--json] COMMAND')
  for (const option of GLOBAL_OPTIONS) root.addOption(new Option(flagsOf(option), option.help))
  root.option('-V, --version', 'print the version, like the command version').helpCommand(false)
  const parents = new Map<string, Commander>()
  for (const group of groups)
    parents.set(group.name, shape(root.command(group.name)).description(group.summary).helpCommand(false))
  for (const command of commands) {
    const [first = '', second] = command.path.split(' ')
    const parent = second === undefined ? root : parents.get(first)
    if (!parent) throw new Error(`the command "${command.path}" belongs to no group`)
    const leaf = shape(parent.command(second ?? first))
      .description(command.summary)
      .allowExcessArguments(false)
    if (command.details !== undefined) leaf.addHelpText('after', `\n${command.details}`)
    for (const { name, help: text, kind, choices } of command.arguments ?? []) {
      const argument = new Argument(
        kind === 'required' ? `<${name}>` : kind === 'many' ? `[${name}...]` : `[${name}]`,
        text,
      )
      leaf.addArgument(choices ? argument.choices([...choices]) : argument)
    }
    for (const option of command.options ?? []) leaf.addOption(new Option(flagsOf(option), option.help))
    leaf.action((...given: unknown[]) => {
      parsed = { command, input: inputOf(given, command) }
    })
  }
  try {
    root.parse(expandGroup(args, groups), { from: 'user' })
  } catch (error) {
    if (!(error instanceof CommanderError)) throw error
    if (error.exitCode === 0 || error.code === 'commander.help') {
      // commander prints help for any command line.
      const stranger = unknownArgument(args, commands)
      if (stranger === undefined) return { help }
      const message = `error: unknown command '${stranger}'`
      throw usageError(new CommanderError(1, 'commander.unknownCommand', message), args, commands)
    }
    throw usageError(error, args, commands)
  }
  return parsed ?? { help: root.helpInformation() }
}

export const flagsOf = ({ short, long, value }: OptionSpec): string =>
  [short, long].filter((flag) => flag !== undefined).join(', ') +
  (value === undefined ? '' : value.startsWith('[') ? ` ${value}` : ` <${value}>`)

/** `hermes gateway help` means `hermes gateway --help`. */
const groupHelp = (args: readonly string[], groups: readonly Group[]): readonly string[] => {
  const [first = '', second, ...rest] = args
  return second === 'help' && groups.some(({ name }) => name === first) ? [first, ...rest, '--help'] : args
}

/** Returns the first argument that should name a command but does not. */
function unknownArgument(
  [first = '-', second = '-']: readonly string[],
  commands: readonly Command[],
): string | undefined {
  if (first.startsWith('-')) return undefined
  const siblings = commands.map(({ path }) => path.split(' ')).filter(([group]) => group === first)
  if (siblings.length === 0) return first
  const takesArguments = siblings.some(([, arg]) => arg === undefined)
  return second.startsWith('-') || takesArguments || siblings.some(([, arg]) => arg === second) ? undefined : second
}

/** `hermes gateway` without a subcommand means `hermes gateway run`; a group without a default shows its commands. */
function expandGroup(args: readonly string[], groups: readonly Group[]): readonly string[] {
  const [first, second] = args
  const group = groups.find(({ name }) => name === first)
  if (group === undefined || second === '-h' || second === '--help') return args
  const { alone } = group
  if (alone === undefined) return second === undefined ? [group.name, '--help'] : args
  return second === undefined || second.startsWith('-') ? [first ?? '', alone, ...args.slice(1)] : args
}

/** commander calls an action with one value per argument, then the options, then the command itself. */
function inputOf(given: readonly unknown[], command: Command): Input {
  const count = command.arguments?.length ?? 0
  const args = given
    .slice(0, count)
    .flat()
    .filter((arg): arg is string => typeof arg === 'string')
  const raw = given[count] as Readonly<Record<string, unknown>>
  const options: Record<string, string | true> = {}
  for (const { long } of command.options ?? []) {
    const name = long.replace(/^--(no-)?/, '')
    const value = raw[name.replace(/-([a-z])/g, (_, letter: string) => letter.toUpperCase())]
    // commander turns `--no-wait` into `wait: false`.
    if (long.startsWith('--no-')) {
      if (value === false) options[`no-${name}`] = true
    } else if (typeof value === 'string' || value === true) options[name] = value
  }
  return { args, options }
}

function usageError(error: CommanderError, args: readonly string[], commands: readonly Command[]): HermesError {
  const [problem = '', hint = ''] = error.message.replace(/^error: /, '').split('\n')
  const [first = ''] = args
  const known = commands.some(({ path }) => path.split(' ')[0] === first)
  // The help of the command itself, where one is named.
  const command = commandOf(args, commands)
  const meant = command?.path ?? (known ? first : '')
  const help = `hermes ${meant === '' ? '' : `${meant} `}--help`
  const isExcess = error.code === 'commander.excessArguments' && known
  const unknown = error.code === 'commander.unknownCommand' || (error.code === 'commander.excessArguments' && !known)
  const near = unknown ? suggestion(args, commands) : undefined
  const guess = near === undefined ? hint.replace(/[()]/g, '') : `Did you mean hermes ${near}?`
  const message = (isExcess ? excessText(args, commands) : undefined) ?? problem
  return new HermesError('USAGE', message, {
    next: guess === '' ? help : `${guess} "${help}" lists ${command === undefined ? 'all commands' : 'its options'}`,
  })
}

function commandOf(args: readonly string[], commands: readonly Command[]): Command | undefined {
  const plain = args.filter((arg) => !arg.startsWith('-'))
  return commands.find(({ path }) => path === plain.slice(0, path.split(' ').length).join(' '))
}

function excessText(args: readonly string[], commands: readonly Command[]): string | undefined {
  const plain = args.filter((arg) => !arg.startsWith('-'))
  const command = commandOf(args, commands)
  if (command === undefined) return undefined
  const taken = command.arguments?.length ?? 0
  const extra = plain[command.path.split(' ').length + taken]
  const most = taken === 0 ? 'no arguments' : `at most ${taken === 1 ? 'one argument' : `${taken} arguments`}`
  return extra === undefined ? undefined : `hermes ${command.path} takes ${most}, but got "${extra}"`
}
