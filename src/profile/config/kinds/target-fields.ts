/** Common parts of lists of targets in config.yaml: names, addresses, profiles, and how an entry is read. */
import { isRecord } from '../../../system/text/record.ts'
import { DEFAULT_PROFILE, isProfileName } from '../../names.ts'
import { type Kind, VARIABLE } from './kinds.ts'

/** Where an address comes from; a file is absolute, or relative to the data directory. */
export type AddressSource = { readonly value: string } | { readonly env: string } | { readonly file: string }

export type Item = Readonly<Record<string, unknown>>
export type Fields = Readonly<Record<string, Kind<unknown>>>

export const ADDRESSES = ['url', 'url_env', 'url_file'] as const

const NAME = /^[a-z0-9][a-z0-9_-]{0,63}$/
export const named: Kind<string> = {
  expected: 'a name of lower-case letters, digits, - and _, such as ops',
  read: (value) => (typeof value === 'string' && NAME.test(value) ? value : undefined),
  schema: { type: 'string', pattern: NAME.source },
}

export const variable: Kind<string> = {
  expected: 'the name of a variable, such as OPS_URL',
  read: (value) => (typeof value === 'string' && VARIABLE.test(value) ? value : undefined),
  schema: { type: 'string', pattern: VARIABLE.source },
  // The secret itself may have been written in its place.
  secret: true,
}

export const path: Kind<string> = {
  expected: 'a path',
  read: (value) => (typeof value === 'string' && value !== '' && !value.includes('\0') ? value : undefined),
  schema: { type: 'string', minLength: 1 },
  secret: true,
}

export const profiles: Kind<readonly string[]> = {
  expected: 'a list of profiles, such as [coder, writer]',
  read: (value) => listOf(value, (one) => (isProfile(one) ? one : undefined)),
  schema: { type: 'array', minItems: 1, items: { type: 'string' } },
}
const isProfile = (value: unknown): value is string =>
  typeof value === 'string' && (value === DEFAULT_PROFILE || isProfileName(value))

export function listOf<T>(value: unknown, read: (one: unknown) => T | undefined): readonly T[] | undefined {
  const all = Array.isArray(value) ? value.map(read) : []
  return all.length > 0 && all.every((one) => one !== undefined) ? (all as readonly T[]) : undefined
}

/** The address of an entry whose check has found that it has one. */
export const sourceOf = (item: Item): AddressSource =>
  ({
    ...(item.url !== undefined && { value: item.url as string }),
    ...(item.url_env !== undefined && { env: item.url_env as string }),
    ...(item.url_file !== undefined && { file: item.url_file as string }),
  }) as AddressSource

/** As the file has it; one that stands in the file itself is not shown. */
export const shownSource = (source: AddressSource): Readonly<Record<string, string>> =>
  'value' in source ? { url: '****' } : 'env' in source ? { url_env: source.env } : { url_file: source.file }

/** Judges an entry after those above it. @returns the target, or the problem */
export type Judge<T> = (item: Item, before: readonly T[]) => T | string

/** @param targetOf judges an entry whose fields are right one by one */
export const uniquely =
  <T extends { readonly name: string }>(targetOf: (item: Item) => T | string): Judge<T> =>
  (item, before) => {
    const target = targetOf(item)
    if (typeof target === 'string' || !before.some(({ name }) => name === target.name)) return target
    return `there is another target with the name ${target.name}`
  }

/** @returns undefined: an entry is not valid */
export function readTargets<T>(value: unknown, fields: Fields, judge: Judge<T>): readonly T[] | undefined {
  if (!Array.isArray(value)) return undefined
  const found: T[] = []
  for (const one of value) {
    const item = isRecord(one) ? readFields(one, fields) : undefined
    const target = item === undefined ? 'it is not a map' : judge(item, found)
    if (typeof target === 'string') return undefined
    found.push(target)
  }
  return found
}

function readFields(value: Record<string, unknown>, fields: Fields): Item | undefined {
  const read: Record<string, unknown> = {}
  for (const [name, one] of Object.entries(value)) {
    const field = Object.hasOwn(fields, name) ? fields[name]?.read(one) : undefined
    if (field === undefined) return undefined
    read[name] = field
  }
  return read
}

/** The schemas of the keys of an entry. */
export const fieldSchemas = (fields: Fields) =>
  Object.fromEntries(Object.entries(fields).map(([name, { schema }]) => [name, schema]))
