/** The JSON Schema of services.yaml, generated from the table of keys. Loaded only on demand. */
import { mapSchema, type Schema } from '../profile/config/kinds/kinds.ts'
import { keySchema, schemaDocument } from '../profile/config/schema.ts'
import { SERVICE_NAME } from './definition.ts'
import { SERVICE_KEYS } from './yaml-keys.ts'

export function servicesJsonSchema(): Schema {
  const keys = Object.entries(SERVICE_KEYS).map(([name, key]) => [name, keySchema(key)] as const)
  const services = {
    type: ['object', 'null'],
    propertyNames: { pattern: SERVICE_NAME.source },
    additionalProperties: mapSchema(Object.fromEntries(keys), 'command'),
  }
  return schemaDocument('services.yaml of a hermes image', {
    ...mapSchema({ services }),
    type: ['object', 'null'],
  })
}
