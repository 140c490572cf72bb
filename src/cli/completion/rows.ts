/** Completions of each command, from the table of commands: what the scripts of all shells are made of. */
import { CONFIG_KEYS, configKeys } from '../../profile/config/keys.ts'
import type { ArgumentSpec, Command, Completes, Group, OptionSpec } from '../context/command.ts'
import { GLOBAL_OPTIONS } from '../context/global-options.ts'

export interface Word {
  readonly word: string
  readonly help: string
}

export interface Options {
  readonly options: readonly Word[]
  /** Flags that take a value, with its source. */
  readonly values: readonly { readonly flag: string; readonly source: string }[]
}

/** Completions that may follow the words typed so far, besides the options of every command. */
export interface Row extends Options {
  /** Path of the command, such as `profile delete`; empty for the first word. */
  readonly path: string
  /** Commands that may follow. */
  readonly commands: readonly Word[]
  /** Source of each argument; one that ends with `*` repeats. */
  readonly args: readonly string[]
}

/** Nothing is known about the value. */
export const UNKNOWN = '-'

/** Values by the name that an argument or an option's value has. */
const BY_NAME: Readonly<Record<string, Completes>> = {
  PROFILE: 'profiles',
  SLUG: 'boards',
  FILE: 'files',
  DIR: 'directories',
  'ID,…': 'tasks',
}

/** One word, without spaces: the name of a source, or the values after a colon. */
const sourceOf = (completes: Completes | undefined): string =>
  completes === undefined || completes.length === 0
    ? UNKNOWN
    : typeof completes === 'string'
      ? completes
      : `:${completes.join(',')}`

const argumentSource = ({ name, kind, choices, completes }: ArgumentSpec): string =>
  `${sourceOf(choices ?? completes ?? BY_NAME[name])}${kind === 'many' ? '*' : ''}`

const flagsOf = ({ short, long }: OptionSpec): readonly string[] => (short === undefined ? [long] : [long, short])

/** Short flags are as quick to type as to complete. */
function fromOptions(all: readonly OptionSpec[]): Options {
  return {
    options: all.map(({ long, help }) => ({ word: long, help })),
    values: all.flatMap((option) =>
      option.value === undefined
        ? []
        : flagsOf(option).map((flag) => ({ flag, source: sourceOf(option.completes ?? BY_NAME[option.value ?? '']) })),
    ),
  }
}

const HELP: OptionSpec = { long: '--help', short: '-h', help: 'show this help' }
const VERSION: OptionSpec = { long: '--version', short: '-V', help: 'print the version' }

/** Everything that a script is made of. */
export interface Table {
  readonly rows: readonly Row[]
  /** Of every command. */
  readonly common: Options
  /** Of config.yaml. */
  readonly keys: readonly Word[]
}

function leafRow(command: Command): Row {
  return {
    path: command.path,
    commands: [],
    ...fromOptions(command.options ?? []),
    args: (command.arguments ?? []).map(argumentSource),
  }
}

/** A group that runs a command of its own also takes that command's options. */
function groupRow({ name, alone }: Group, commands: readonly Command[]): Row {
  const own = commands.find(({ path }) => path === `${name} ${alone}`)
  return {
    ...fromOptions(own?.options ?? []),
    args: [],
    path: name,
    commands: commands.flatMap(({ path, summary }) =>
      path.startsWith(`${name} `) ? [{ word: path.slice(name.length + 1), help: summary }] : [],
    ),
  }
}

/** Rows of the first words, then of groups, then of commands. */
export function tableOf(commands: readonly Command[], groups: readonly Group[]): Table {
  const alone = commands.flatMap(({ path, summary }) => (path.includes(' ') ? [] : [{ word: path, help: summary }]))
  const top: Row = {
    path: '',
    commands: [...groups.map(({ name, summary }) => ({ word: name, help: summary })), ...alone],
    ...fromOptions([VERSION]),
    args: [],
  }
  return {
    rows: [top, ...groups.map((group) => groupRow(group, commands)), ...commands.map(leafRow)],
    common: fromOptions([...GLOBAL_OPTIONS, HELP]),
    keys: configKeys().map((key) => ({ word: key, help: CONFIG_KEYS[key].help })),
  }
}
