/**
 * Results that must fit a JSON Schema, of draft 2020-12 or 7. Checked where the result is given, and not by the
 * dispatcher: a pattern of a schema may take any time. scripts/build.ts makes this a bundle of its own.
 */
import { Ajv, type ErrorObject } from 'ajv'
import { Ajv2020 } from 'ajv/dist/2020.js'
import { HermesError } from '../../system/errors.ts'
import { isRecord } from '../../system/text/record.ts'

const OPTIONS = { strict: false, validateFormats: false, verbose: true, logger: false } as const
const MAX_SHOWN = 120

/**
 * Reads a schema.
 * @param name of its file, for messages
 * @returns the schema as compact JSON
 * @throws HermesError USAGE: it is not JSON, or not a schema
 */
export function parseSchema(text: string, name: string): string {
  const schema = parseJson(text, name)
  if (!isRecord(schema) && typeof schema !== 'boolean') throw notSchema(name, 'it is not an object')
  try {
    validatorOf(schema)
  } catch (error) {
    throw notSchema(name, (error as Error).message)
  }
  return JSON.stringify(schema)
}

/**
 * Reads a result.
 * @param name of its file, for messages
 * @param task whose schema the result must fit, if it has one
 * @returns the result as compact JSON
 * @throws HermesError USAGE: it is not JSON. REFUSED: it does not fit, with the path and what was expected
 */
export function parseResult(
  text: string,
  name: string,
  { id, resultSchema }: { readonly id: string; readonly resultSchema: string | null },
): string {
  const result = parseJson(text, name)
  const wrong = resultSchema === null ? undefined : misfit(JSON.parse(resultSchema), result)
  if (wrong === undefined) return JSON.stringify(result)
  throw new HermesError('REFUSED', `${name} does not fit the schema of ${id}: ${wrong}`, {
    next: `correct the result; "hermes kanban show ${id}" prints the schema`,
  })
}

function parseJson(text: string, name: string): unknown {
  try {
    return JSON.parse(text) as unknown
  } catch (error) {
    throw new HermesError('USAGE', `${name} is not JSON: ${(error as Error).message}`, { cause: error })
  }
}

function notSchema(name: string, why: string): HermesError {
  return new HermesError('USAGE', `${name} is not a JSON Schema: ${why}`, {
    next: 'use a schema such as {"type": "object", "required": ["size"], "properties": {"size": {"type": "integer"}}}',
  })
}

function validatorOf(schema: unknown) {
  const isOlder = isRecord(schema) && /\bdraft-0[67]\b/.test(String(schema.$schema ?? ''))
  return (isOlder ? new Ajv(OPTIONS) : new Ajv2020(OPTIONS)).compile(schema as object | boolean)
}

/** @returns where, what was expected and what was found; undefined: the value fits */
export function misfit(schema: unknown, value: unknown): string | undefined {
  const validate = validatorOf(schema)
  if (validate(value)) return undefined
  // The first error of the deepest place: `anyOf` and the like report theirs after those of their branches.
  const [error] = [...(validate.errors ?? [])].sort((a, b) => depth(b) - depth(a))
  return error === undefined ? 'it does not fit' : textOf(error)
}

const depth = ({ instancePath }: ErrorObject): number => instancePath.split('/').length

function textOf({ instancePath, keyword, message, params, data }: ErrorObject): string {
  const at = instancePath === '' ? 'the result' : instancePath
  const extra = keyword === 'additionalProperties' ? ` (${JSON.stringify(params.additionalProperty)})` : ''
  const allowed =
    keyword === 'enum' || keyword === 'const' ? `: ${shown(params.allowedValues ?? params.allowedValue)}` : ''
  return `${at} ${message ?? `fails "${keyword}"`}${extra}${allowed}, but is ${shown(data)}`
}

function shown(value: unknown): string {
  const text = JSON.stringify(value) ?? 'nothing'
  return text.length > MAX_SHOWN ? `${text.slice(0, MAX_SHOWN - 1)}…` : text
}
