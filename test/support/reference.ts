// The parts of the reference pages in docs/ that are made from the code. `HERMES_WRITE_DOCS=1 npx vitest run
// test/cli/docs.test.ts` writes them; without it the same test compares.

import type { Command } from '../../src/cli/context/command.ts'
import { EXIT_MEANINGS } from '../../src/cli/exit-meanings.ts'
import { flagsOf } from '../../src/cli/parser/parser.ts'
import { COMMANDS, GROUPS } from '../../src/cli/tree.ts'
import { INTERNAL_VARIABLES, VARIABLES } from '../../src/cli/variables.ts'
import { CONFIG_KEYS, configKeys } from '../../src/profile/config/keys.ts'
import { SERVICE_KEYS } from '../../src/services/yaml-keys.ts'
import { EXIT } from '../../src/system/errors.ts'

const cell = (text: string): string => text.replaceAll('|', '\\|')
const table = (head: readonly string[], rows: readonly (readonly string[])[]): string =>
  [head, head.map(() => '---'), ...rows].map((row) => `| ${row.map(cell).join(' | ')} |\n`).join('')

const exitCodes = (): string =>
  table(
    ['code', 'meaning'],
    (Object.keys(EXIT) as (keyof typeof EXIT)[]).map((name) => [String(EXIT[name]), EXIT_MEANINGS[name]]),
  )

const environment = (): string => {
  const set = VARIABLES.map(({ name, value, meaning }) => [`\`${name}\``, value, meaning])
  const given = INTERNAL_VARIABLES.map(({ name, meaning }) => [`\`${name}\``, meaning])
  return `${table(['variable', 'default', 'meaning'], set)}
Set by hermes for the programs that it starts:

${table(['variable', 'meaning'], given)}`
}

const configuration = (): string =>
  table(
    ['key', 'takes', 'default', ''],
    configKeys().map((key) => {
      const { kind, written, help } = CONFIG_KEYS[key]
      return [`\`${key}\``, kind.expected, `\`${written}\``, help]
    }),
  )

const services = (): string =>
  table(
    ['key', 'takes', 'default', ''],
    Object.entries(SERVICE_KEYS).map(([name, { kind, written, help }]) => [
      `\`${name}\``,
      kind.expected,
      written,
      help,
    ]),
  )

const commands = (): string => {
  const alone = COMMANDS.filter(({ path }) => !path.includes(' '))
  const groups = GROUPS.map(({ name, summary }) => {
    const members = COMMANDS.filter(({ path }) => path.startsWith(`${name} `))
    return `## ${name}\n\n${summary}\n\n${members.map(commandText).join('\n')}`
  })
  return [...groups, `## the rest\n\n${alone.map(commandText).join('\n')}`].join('\n')
}

function commandText(command: Command): string {
  const args = (command.arguments ?? []).map(({ name, kind }) =>
    kind === 'required' ? name : kind === 'many' ? `[${name}…]` : `[${name}]`,
  )
  const options = (command.options ?? []).map((option) => [`\`${flagsOf(option)}\``, option.help])
  const given = (command.arguments ?? []).map(({ name, help }) => [`\`${name}\``, help])
  const exits = Object.entries(command.exits ?? {}).map(([code, meaning]) => `${code} ${meaning}`)
  return [
    `### hermes ${[command.path, ...args].join(' ')}\n`,
    `${command.summary}\n`,
    ...(command.details === undefined ? [] : [`${command.details}\n`]),
    ...(given.length + options.length === 0 ? [] : [table(['', ''], [...given, ...options])]),
    ...(exits.length === 0 ? [] : [`Exit codes: ${exits.join(' · ')}\n`]),
  ].join('\n')
}

/** Page → what stands between its two `<!-- made from the code -->` lines. */
export const MADE_PAGES: Readonly<Record<string, () => string>> = {
  'exit-codes.md': exitCodes,
  'environment.md': environment,
  'configuration.md': configuration,
  'commands.md': commands,
  'services.md': services,
}

export const MARK = '<!-- made from the code -->'
