/** The zod schema of config.yaml, made from the table of keys. Loaded only where a file says something. */
import * as z from 'zod/mini'
import { CONFIG_KEYS, type ConfigKey, configKeys, type Kind } from './config-keys.ts'
import {
  announcement,
  DURATION,
  GIVE_UP,
  giveUpAfter,
  MAX_FD,
  parseDurationMs,
  READY,
  SIGNAL,
  signal,
  url,
  VARIABLES,
  variables,
  whyNoAnnouncement,
  words,
} from './values.ts'

const VARIABLE_NAME = /^[A-Za-z_][A-Za-z0-9_]*$/

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
      return judged(z.array(z.union([z.string(), z.number(), z.boolean()])).check(z.minLength(1)), words)
    case 'map':
      return judged(
        z.record(z.string().check(z.regex(VARIABLE_NAME)), z.union([z.string(), z.number(), z.boolean()])),
        variables,
      )
    case 'signal':
      return judged(z.union([z.string(), z.number()]), signal)
    case 'ready':
      return readySchema()
    case 'give-up':
      return judged(
        z.strictObject({
          deaths: z.int().check(z.minimum(1), z.maximum(100)),
          within: z.union([z.string(), z.number()]),
        }),
        giveUpAfter,
      )
    case 'openai':
      return z.pipe(
        z.strictObject({
          base_url: judged(z.string(), url),
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

/** The shape is for editors, which read a schema; whether a value is taken, and what it comes to, is said by one check. */
const judged = <T>(shape: z.ZodMiniType, read: (value: unknown) => T | undefined) =>
  z.pipe(
    shape.check(z.refine((value) => read(value) !== undefined)),
    z.transform((value) => read(value) as T),
  )

const durationOf = (minMs: number) =>
  judged(z.union([z.string(), z.number()]), (value) => {
    const ms = parseDurationMs(value)
    return ms !== undefined && ms >= minMs ? ms : undefined
  })

const readySchema = () =>
  judged(
    z.union([
      z.literal('auto'),
      z.strictObject({ fd: z.int().check(z.minimum(3), z.maximum(MAX_FD)) }),
      z.strictObject({ log: z.string().check(z.minLength(1)) }),
      z.strictObject({ http: z.string() }),
      z.strictObject({ tcp: z.union([z.string(), z.number()]) }),
      z.strictObject({ command: z.array(z.union([z.string(), z.number(), z.boolean()])) }),
    ]),
    (value) => (value === 'auto' ? { by: 'auto' } : announcement(value)),
  )

/** What more can be said of a value that a key does not take. */
export const whyNot = (kind: Kind, value: unknown): string | undefined =>
  kind.type === 'ready' ? whyNoAnnouncement(value) : undefined

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
      return `${DURATION}${kind.minMs > 0 ? ', more than 0' : ''}`
    case 'word':
      return `${kind.words.slice(0, -1).join(', ')} or ${kind.words.at(-1)}`
    case 'argv':
      return 'a list of words such as [sh, -c, "exec my-program"]'
    case 'map':
      return VARIABLES
    case 'signal':
      return SIGNAL
    case 'ready':
      return `auto, ${READY}`
    case 'give-up':
      return GIVE_UP
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
