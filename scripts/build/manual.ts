// The manual: hermes(1), a page for each group of commands, hermes-config(5) and hermes-services(5), from the tables of
// which --help and docs/ are made.
import type { ArgumentSpec, Command, Group, OptionSpec } from '../../src/cli/context/command.ts'
import { GLOBAL_OPTIONS } from '../../src/cli/context/global-options.ts'
import { EXIT_MEANINGS } from '../../src/cli/exit-meanings.ts'
import { COMMANDS, GROUPS } from '../../src/cli/tree.ts'
import { VARIABLES } from '../../src/cli/variables.ts'
import { CONFIG_KEYS, configKeys } from '../../src/profile/config/keys.ts'
import { SERVICE_KEYS } from '../../src/services/yaml-keys.ts'
import { EXIT } from '../../src/system/errors.ts'
import { bold, escaped, example, italic, item, opening, paragraph, prose, section, subsection, title } from './roff.ts'

/** Facts about the build. */
export interface Edition {
  readonly version: string
  /** RFC 3339. */
  readonly builtAt: string
}

interface Page {
  readonly name: string
  readonly section: 1 | 5
  readonly summary: string
  /** Everything between the sections NAME and SEE ALSO. */
  readonly text: string
}

const OPTIONS: readonly OptionSpec[] = [
  ...GLOBAL_OPTIONS,
  { long: '--help', short: '-h', help: 'show the help of a command' },
  { long: '--version', short: '-V', help: 'print the version' },
]

/** File names, such as `hermes-kanban.1`, with the pages. */
export function manual(edition: Edition): Readonly<Record<string, string>> {
  const all = pages()
  return Object.fromEntries(all.map((page) => [`${page.name}.${page.section}`, written(page, all, edition)]))
}

function pages(): readonly Page[] {
  return [
    { name: 'hermes', section: 1, summary: 'supervise many agent profiles', text: overview() },
    ...GROUPS.map((group) => ({
      name: `hermes-${group.name}`,
      section: 1 as const,
      summary: uncapitalized(group.summary),
      text: groupText(group),
    })),
    { name: 'hermes-config', section: 5, summary: 'settings of a profile, config.yaml', text: configText() },
    { name: 'hermes-services', section: 5, summary: 'services of an image, services.yaml', text: servicesText() },
  ]
}

function written({ name, section: number, summary, text }: Page, all: readonly Page[], edition: Edition): string {
  const date = edition.builtAt.slice(0, 10)
  const others = all.filter((other) => other.name !== name || other.section !== number)
  // A page of a group needs the first one; that one names all.
  const seeAlso = name === 'hermes' ? others : others.filter((other) => other.name === 'hermes' || other.section === 5)
  return [
    '.\\" Made from the tables of the commands by scripts/build/manual.ts.\n',
    title({ name, section: number, date, source: `hermes ${edition.version}` }),
    section('Name'),
    `${escaped(name)} \\- ${escaped(summary)}\n`,
    text,
    section('See also'),
    `${seeAlso.map((other) => `${bold(other.name)}(${other.section})`).join(',\n')}\n`,
  ].join('')
}

const uncapitalized = (text: string): string => `${text.charAt(0).toLowerCase()}${text.slice(1)}`
const isOf = (group: Group) => (command: Command) => command.path.startsWith(`${group.name} `)

const overview = (): string =>
  [
    section('Synopsis'),
    `${bold('hermes')} [${bold('-p')} ${italic('NAME')}] [${bold('--json')}] ${italic('COMMAND')}\n`,
    section('Description'),
    opening(
      prose(
        'Hermes supervises profiles, each with a gateway of its own. Without a command, it starts a conversation on a terminal if the profile has an agent; otherwise it shows the status and the help.',
      ),
    ),
    section('Options'),
    ...OPTIONS.map((option) => item(optionText(option), prose(option.help))),
    section('Groups of commands'),
    ...GROUPS.map((group) =>
      item(bold(`hermes ${group.name}`), `${prose(group.summary)}; see ${bold(`hermes-${group.name}`)}(1)`),
    ),
    section('Commands'),
    ...COMMANDS.filter(({ path }) => !path.includes(' ')).map(commandText),
    section('Exit status'),
    ...Object.entries(EXIT).map(([name, code]) =>
      item(bold(String(code)), prose(EXIT_MEANINGS[name as keyof typeof EXIT])),
    ),
    section('Environment'),
    ...VARIABLES.map(({ name, value, meaning }) =>
      item(bold(name), prose(value === '–' ? meaning : `${meaning} (default: ${value})`)),
    ),
  ].join('')

const groupText = (group: Group): string => {
  const alone = group.alone === undefined ? '' : `${bold(`hermes ${group.name}`)}\n.br\n`
  return [
    section('Synopsis'),
    `${alone}${bold(`hermes ${group.name}`)} ${italic('COMMAND')} [${italic('OPTION')}...] [${italic('ARGUMENT')}...]\n`,
    section('Description'),
    opening(prose(`${group.summary}.`)),
    paragraph(`Every command takes the options of ${bold('hermes')}(1).`),
    section('Commands'),
    ...COMMANDS.filter(isOf(group)).map(commandText),
    section('Exit status'),
    opening(`0 done, 1 failed, 2 wrong usage; ${bold('hermes')}(1) lists all codes.`),
  ].join('')
}

const argumentText = ({ name, kind }: ArgumentSpec): string =>
  kind === 'required' ? name : kind === 'many' ? `[${name}...]` : `[${name}]`

/** The flags as they are typed, and the name of the value. */
const optionText = ({ short, long, value }: OptionSpec): string => {
  const flags = [short, long].filter((flag) => flag !== undefined).map(bold)
  return `${flags.join(', ')}${value === undefined ? '' : ` ${italic(value)}`}`
}

function commandText(command: Command): string {
  const exits = Object.entries(command.exits ?? {}).map(([code, meaning]) => `${code} ${meaning}`)
  return [
    subsection(['hermes', command.path, ...(command.arguments ?? []).map(argumentText)].join(' ')),
    opening(prose(`${command.summary}.`)),
    ...detailsText(command.details ?? ''),
    ...(command.arguments ?? []).map(({ name, help }) => item(italic(name), prose(help))),
    ...(command.options ?? []).map((option) => item(optionText(option), prose(option.help))),
    ...(exits.length === 0 ? [] : [paragraph(prose(`Exit status: ${exits.join('; ')}.`))]),
  ].join('')
}

/** Text to fill; a line after a colon at the end of a line is a command to type. */
function detailsText(details: string): readonly string[] {
  if (details === '') return []
  const lines = details.split('\n')
  const isExample = (at: number): boolean => lines[at - 1]?.endsWith(':') === true
  const runs = lines.reduce<{ example: boolean; lines: string[] }[]>((found, text, at) => {
    const last = found.at(-1)
    if (last?.example === isExample(at)) last.lines.push(text)
    else found.push({ example: isExample(at), lines: [text] })
    return found
  }, [])
  return runs.map((run) => (run.example ? example(run.lines) : paragraph(prose(run.lines.join(' ')))))
}

interface KeyText {
  readonly kind: { readonly expected: string }
  readonly written: string
  readonly help: string
}

const keyText = ([name, { kind, written: preset, help }]: readonly [string, KeyText]): string =>
  item(bold(name), prose(`${help} (takes ${kind.expected}; ${presetText(preset)})`))

const presetText = (preset: string): string =>
  preset === '(required)' ? 'required' : preset === '(none)' ? 'default: none' : `default: ${preset}`

const configText = (): string =>
  [
    section('Description'),
    opening(
      prose(
        'Each profile has a file `config.yaml`: that of the default profile is in the data directory, those of others are in `profiles/NAME` below it. A dot in the name of a key stands for a level: `gateway.restart` is the key `restart` of the mapping `gateway`.',
      ),
    ),
    paragraph(
      `${bold('hermes config check')} reports every problem, ${bold('hermes config set')} changes a key, and ${bold('hermes config schema')} prints a JSON Schema for editors.`,
    ),
    section('Keys'),
    ...configKeys().map((name) => keyText([name, CONFIG_KEYS[name]])),
  ].join('')

const servicesText = (): string =>
  [
    section('Description'),
    opening(
      prose(
        'The file `/etc/hermes/services.yaml` of an image lists programs that Hermes supervises beside the gateways. Its map `services` has the keys of each service by its name.',
      ),
    ),
    example(['services:', '  web:', '    command: [my-server, --port, "80"]', '    user: hermes']),
    paragraph(`${bold('hermes service list')} shows the services.`),
    section('Keys'),
    ...Object.entries(SERVICE_KEYS).map(keyText),
  ].join('')
