/** Templates of tasks, and the tasks that are made from them. */
import {
  filled,
  listTemplates,
  parseTemplateName,
  placesIn,
  readTemplate,
  removeTemplate,
  type Template,
  writeTemplate,
} from '../../../kanban/store/templates.ts'
import { HermesError } from '../../../system/errors.ts'
import { oneLine, plainText } from '../../../system/text/foreign-text.ts'
import { type Command, type Input, type OptionSpec, textOption } from '../../context/command.ts'
import type { Context } from '../../context/context.ts'
import type { Outcome } from '../../terminal/output.ts'
import { table } from '../../view/slots-view.ts'

type Check = (context: Context, input: Input) => Promise<{ readonly title: string; readonly body: string }>

/** Options of `create` that belong to one task only, or name a file. */
const NOT_KEPT = ['--parent', '--at', '--key', '--triage', '--result-schema', '--template', '--set', '--board']

/**
 * @param options of `hermes kanban create`
 * @param check makes the task, and refuses options that cannot be
 */
export const templateCommand = (options: readonly OptionSpec[], check: Check): Command => ({
  path: 'kanban template',
  summary: 'Create, list, show or delete a template of tasks',
  arguments: [
    {
      name: 'ACTION',
      help: 'action: create NAME TITLE, list, show NAME or delete NAME',
      kind: 'required',
      choices: ['create', 'list', 'show', 'delete'],
    },
    { name: 'NAME', help: 'name of a template: a-z, 0-9, _ and -', kind: 'optional', completes: 'templates' },
    { name: 'TITLE', help: 'for create: title of its tasks', kind: 'many' },
  ],
  options: options.filter(({ long }) => !NOT_KEPT.includes(long)),
  details:
    'Title and body may have places such as {{host}}, which "hermes kanban create --template NAME --set host=db1"\n' +
    'fills. The options are those of the tasks; an option of create takes precedence.',
  run: (context, input) => template(context, input, check),
})

async function template(context: Context, input: Input, check: Check): Promise<Outcome> {
  const [action = '', given, ...title] = input.args
  const { home } = context
  if (action !== 'create' && (title.length > 0 || Object.keys(input.options).length > 0))
    throw new HermesError('USAGE', `hermes kanban template ${action} takes no title and no options of a task`)
  if (action === 'list') return list(home)
  if (given === undefined)
    throw new HermesError('USAGE', `hermes kanban template ${action} requires the name of a template`)
  const name = parseTemplateName(given)
  switch (action) {
    case 'create': {
      const { title: whole, body } = await check(context, { args: title, options: input.options })
      const { 'body-file': _, ...kept } = input.options
      const made: Template = { title: whole, options: { ...kept, ...(body === '' ? {} : { body }) } }
      const file = await writeTemplate(home, name, made)
      return { text: `template "${name}" created: ${file}\n`, json: { name, file, ...shown(made) } }
    }
    case 'show': {
      const found = readTemplate(home, name)
      return { text: textOf(name, found), json: { name, ...shown(found) } }
    }
    default:
      removeTemplate(home, name)
      return { text: `template "${name}" deleted\n`, json: { name, deleted: true } }
  }
}

const shown = (one: Template): Readonly<Record<string, unknown>> => ({ ...one, places: placesOf(one) })

const placesOf = ({ title, options }: Template): readonly string[] =>
  placesIn(title, typeof options.body === 'string' ? options.body : '')

function list(home: string): Outcome {
  const all = listTemplates(home).map((name) => ({ name, ...readTemplate(home, name) }))
  const rows = all.map((one) => [one.name, placesOf(one).join(', ') || '-', oneLine(one.title)])
  return {
    text: rows.length === 0 ? 'no templates\n' : table([['NAME', 'PLACES', 'TITLE'], ...rows]),
    json: all.map(({ name, ...one }) => ({ name, ...shown(one) })),
  }
}

function textOf(name: string, { title, options }: Template): string {
  const { body, ...others } = options
  const facts = Object.entries(others).map(([option, value]) => `  --${option}${value === true ? '' : ` ${value}`}\n`)
  return plainText([`${name}  ${title}\n`, ...facts, typeof body === 'string' ? `\n${body.trimEnd()}\n` : ''].join(''))
}

/**
 * The input of `create` with what its template says: options and title that were given take precedence.
 * @throws HermesError FAILED: no such template. USAGE: a place without a value, or a value without a place
 */
export function withTemplate(context: Context, input: Input): Input {
  const name = textOption(input, 'template')
  const set = textOption(input, 'set')
  if (name === undefined) {
    if (set === undefined) return input
    throw new HermesError('USAGE', '--set needs --template', { next: 'hermes kanban create --template NAME --set a=b' })
  }
  const found = readTemplate(context.home, parseTemplateName(name))
  const { template: _, set: __, ...given } = input.options
  const { body: templateBody, ...others } = found.options
  const hasBody = given.body !== undefined || given['body-file'] !== undefined
  const body = hasBody || typeof templateBody !== 'string' ? undefined : templateBody
  const title = input.args.length > 0 ? undefined : found.title
  const values = valuesOf(set)
  const places = placesIn(title ?? '', body ?? '')
  const lacking = places.filter((place) => !values.has(place))
  const unknown = [...values.keys()].filter((key) => !placesOf(found).includes(key))
  if (lacking.length > 0)
    throw new HermesError('USAGE', `the template "${name}" needs a value for ${lacking.join(', ')}`, {
      next: `--set ${lacking.map((place) => `${place}=VALUE`).join(',')}`,
    })
  if (unknown.length > 0)
    throw new HermesError('USAGE', `the template "${name}" has no place {{${unknown[0]}}}`, {
      next: `its places: ${placesOf(found).join(', ') || 'none'}`,
    })
  return {
    args: title === undefined ? input.args : [filled(title, values)],
    options: { ...others, ...(body === undefined ? {} : { body: filled(body, values) }), ...given },
  }
}

/** `a=1,b=two words`: a comma before the next name separates two values. */
function valuesOf(text: string | undefined): ReadonlyMap<string, string> {
  const parts = text === undefined ? [] : text.split(/,(?=\s*[A-Za-z_][A-Za-z0-9_]*=)/)
  return new Map(
    parts.map((part) => {
      const [, name = '', value = ''] = /^\s*([A-Za-z_][A-Za-z0-9_]*)=([\s\S]*)$/.exec(part) ?? []
      if (name !== '') return [name, value] as const
      throw new HermesError('USAGE', `--set takes NAME=VALUE,…, not ${JSON.stringify(part.slice(0, 80))}`)
    }),
  )
}
