/** The JSON schema of config.yaml, made from the table of keys by way of zod. Loaded only where somebody asks for it. */
import * as z from 'zod/mini'
import { OPENAI_KEY, VARIABLE_NAME } from './config-values.ts'
import { CONFIG_KEYS, type ConfigKey, configKeys, type Kind } from './keys.ts'
import { MAX_FD } from './values.ts'

const schemaOf = (key: ConfigKey): z.ZodMiniType => {
  const schema = shapeOf(CONFIG_KEYS[key].kind)
  return CONFIG_KEYS[key].value === null ? z.nullable(schema) : schema
}

/** The shape alone, which is what editors can check; what a value comes to is said by `settingOf`. */
function shapeOf(kind: Kind): z.ZodMiniType {
  switch (kind.type) {
    case 'text':
    case 'secret':
      return z.string()
    case 'flag':
      return z.boolean()
    case 'whole':
      return kind.text ? z.union([wholeOf(kind), z.string().check(z.regex(/^\s*\d+\s*$/))]) : wholeOf(kind)
    case 'duration':
    case 'signal':
      return z.union([z.string(), z.number()])
    case 'word':
      return z.enum(kind.words as readonly [string, ...string[]])
    case 'argv':
      return z.array(scalar()).check(z.minLength(1))
    case 'map':
      return z.record(z.string().check(z.regex(VARIABLE_NAME)), scalar())
    case 'ready':
      return readyShape()
    case 'give-up':
      return z.strictObject({
        deaths: z.int().check(z.minimum(1), z.maximum(100)),
        within: z.union([z.string(), z.number()]),
      })
    case 'openai':
      return z.strictObject({
        base_url: z.string(),
        model: z.string().check(z.minLength(1)),
        api_key_env: z._default(z.string().check(z.regex(VARIABLE_NAME)), OPENAI_KEY),
      })
  }
}

const scalar = () => z.union([z.string(), z.number(), z.boolean()])

const wholeOf = ({ min, max }: { readonly min: number; readonly max: number }) =>
  z.int().check(z.minimum(min), z.maximum(max))

const readyShape = () =>
  z.union([
    z.literal('auto'),
    z.strictObject({ fd: z.int().check(z.minimum(3), z.maximum(MAX_FD)) }),
    z.strictObject({ log: z.string().check(z.minLength(1)) }),
    z.strictObject({ http: z.string() }),
    z.strictObject({ tcp: z.union([z.string(), z.number()]) }),
    z.strictObject({ command: z.array(scalar()) }),
  ])

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
