/** The zod schema of config.yaml, made from the table of keys. Loaded only where a file says something. */
import * as z from 'zod/mini'
import { parseSignal } from '../protocol/init.ts'
import { CONFIG_KEYS, type ConfigKey, configKeys, type Kind, parseDurationMs } from './config-keys.ts'

const VARIABLE_NAME = /^[A-Za-z_][A-Za-z0-9_]*$/
const MAX_FD = 63

/** Schema of one key: takes what YAML gave, returns the value in force; `null` is taken where unset is a value. */
export function schemaOf(key: ConfigKey): z.ZodMiniType {
  const schema = schemaOfKind(CONFIG_KEYS[key].kind)
  return CONFIG_KEYS[key].value === null ? z.nullable(schema) : schema
}

function schemaOfKind(kind: Kind): z.ZodMiniType {
  switch (kind.type) {
    case 'text':
    case 'secret':
      return z.string()
    case 'flag':
      return z.boolean()
    case 'whole':
      return kind.text ? z.union([wholeOf(kind), z.pipe(numberText(), wholeOf(kind))]) : wholeOf(kind)
    case 'duration':
      return durationOf(kind.minMs)
    case 'word':
      return z.enum(kind.words as readonly [string, ...string[]])
    case 'argv':
      return z.pipe(z.array(z.union([z.string(), z.number()])).check(z.minLength(1)), toTexts())
    case 'map':
      return z.pipe(
        z.record(z.string().check(z.regex(VARIABLE_NAME)), z.union([z.string(), z.number(), z.boolean()])),
        z.transform((map: Record<string, string | number | boolean>) =>
          Object.fromEntries(Object.entries(map).map(([k, v]) => [k, String(v)])),
        ),
      )
    case 'signal':
      return z.pipe(
        z.union([z.string(), z.number()]).check(z.refine((value) => parseSignal(String(value)) !== undefined)),
        z.transform((value: string | number) => parseSignal(String(value))),
      )
    case 'ready':
      return readySchema()
    case 'give-up':
      return z.pipe(
        z.strictObject({ deaths: z.int().check(z.minimum(1), z.maximum(100)), within: durationOf(1) }),
        z.transform((value: { deaths: number; within: number | undefined }) => ({
          deaths: value.deaths,
          withinMs: value.within,
        })),
      )
    case 'openai':
      return z.pipe(
        z.strictObject({
          base_url: url(),
          model: z.string().check(z.minLength(1)),
          api_key_env: z._default(z.string().check(z.regex(VARIABLE_NAME)), 'OPENAI_API_KEY'),
        }),
        z.transform((value: { base_url: string; model: string; api_key_env: string }) => ({
          baseUrl: value.base_url,
          model: value.model,
          apiKeyEnv: value.api_key_env,
        })),
      )
  }
}

const wholeOf = ({ min, max }: { readonly min: number; readonly max: number }) =>
  z.int().check(z.minimum(min), z.maximum(max))

const numberText = () => z.pipe(z.string().check(z.regex(/^\s*\d+\s*$/)), z.transform(Number))

const toTexts = () => z.transform((words: (string | number)[]) => words.map(String))

const durationOf = (minMs: number) =>
  z.pipe(
    z.union([z.string(), z.number()]).check(z.refine((value) => (parseDurationMs(value) ?? -1) >= minMs)),
    z.transform((value: string | number) => parseDurationMs(value)),
  )

const url = () => z.string().check(z.refine((text) => /^https?:\/\//.test(text) && URL.canParse(text)))

const readySchema = () =>
  z.union([
    z.pipe(
      z.literal('auto'),
      z.transform(() => ({ by: 'auto' })),
    ),
    z.pipe(
      z.strictObject({ fd: z.int().check(z.minimum(3), z.maximum(MAX_FD)) }),
      z.transform((value: { fd: number }) => ({ by: 'fd', fd: value.fd })),
    ),
    z.pipe(
      z.strictObject({ log: z.string().check(z.minLength(1), z.refine(isPattern)) }),
      z.transform((value: { log: string }) => ({ by: 'log', pattern: value.log })),
    ),
    z.pipe(
      z.strictObject({ http: url() }),
      z.transform((value: { http: string }) => ({ by: 'http', url: value.http })),
    ),
  ])

function isPattern(text: string): boolean {
  try {
    return new RegExp(text) instanceof RegExp
  } catch {
    // A SyntaxError is the answer: it is no pattern.
    return false
  }
}

/** What a key takes, in words. */
export function expectation(kind: Kind): string {
  switch (kind.type) {
    case 'text':
    case 'secret':
      return 'text'
    case 'flag':
      return 'true or false'
    case 'whole':
      return `a whole number from ${kind.min} to ${kind.max}`
    case 'duration':
      return `a duration such as 500ms, 30s, 1m or a number of seconds${kind.minMs > 0 ? ', more than 0' : ''}`
    case 'word':
      return `${kind.words.slice(0, -1).join(', ')} or ${kind.words.at(-1)}`
    case 'argv':
      return 'a list of words such as [sh, -c, "exec my-program"]'
    case 'map':
      return 'names and texts such as {PORT: "8080"}'
    case 'signal':
      return 'a signal such as TERM, INT or 15'
    case 'ready':
      return `auto, {fd: 3 to ${MAX_FD}}, {log: a regular expression} or {http: a URL}`
    case 'give-up':
      return '{deaths: 1 to 100, within: a duration}'
    case 'openai':
      return '{base_url: a URL, model: a name, api_key_env: name of a variable}'
  }
}

/** JSON Schema of the whole file, for editors and the dashboard. */
export function configJsonSchema(): unknown {
  const root = emptySection()
  for (const key of configKeys()) {
    const path = key.split('.')
    let section = root
    for (const part of path.slice(0, -1)) section = subsection(section, part)
    const { kind, value, written, help } = CONFIG_KEYS[key]
    const { $schema: _, ...schema } = z.toJSONSchema(schemaOf(key), { io: 'input', unrepresentable: 'any' })
    const asWritten = ['duration', 'ready'].includes(kind.type) ? written : value
    section.properties[path.at(-1) ?? key] = { ...schema, default: asWritten, description: help }
  }
  return { $schema: 'https://json-schema.org/draft/2020-12/schema', ...root }
}

interface Section {
  readonly type: 'object'
  readonly additionalProperties: false
  readonly properties: Record<string, unknown>
}

const emptySection = (): Section => ({ type: 'object', additionalProperties: false, properties: {} })

function subsection(section: Section, name: string): Section {
  const there = section.properties[name] as Section | undefined
  const found = there ?? emptySection()
  section.properties[name] = found
  return found
}
