/** The JSON Schema of config.yaml, generated from the table of keys. Loaded only on demand. */
import { CONFIG_KEYS, configKeys } from './keys.ts'
import { type Kind, mapSchema, type Schema } from './kinds/kinds.ts'

/** Schema of a key in either file, for editors: an empty key means its default. */
export const keySchema = ({
  kind: { schema },
  help,
}: {
  readonly kind: Kind<unknown>
  readonly help: string
}): Schema => ({
  anyOf: [schema, { type: 'null' }],
  description: help,
})

export const schemaDocument = (title: string, root: Schema): Schema => ({
  $schema: 'https://json-schema.org/draft/2020-12/schema',
  title,
  ...root,
})

/** JSON Schema of the whole file, for editors and the dashboard. */
export function configJsonSchema(): Schema {
  const root: Section = {}
  for (const key of configKeys()) {
    const path = key.split('.')
    let section = root
    for (const part of path.slice(0, -1)) {
      section[part] ??= {}
      section = section[part] as Section
    }
    const { kind, value, written } = CONFIG_KEYS[key]
    section[path.at(-1) ?? key] = {
      ...keySchema(CONFIG_KEYS[key]),
      default: kind.converted && value !== null ? written : value,
    }
  }
  return schemaDocument('config.yaml of a hermes profile', sectionSchema(root))
}

interface Section {
  [name: string]: Section | Schema
}

const sectionSchema = (section: Section): Schema =>
  mapSchema(
    Object.fromEntries(
      Object.entries(section).map(([name, inner]) => [
        name,
        'anyOf' in inner ? (inner as Schema) : { ...sectionSchema(inner as Section), type: ['object', 'null'] },
      ]),
    ),
  )
