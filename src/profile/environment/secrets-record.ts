/**
 * What the start of a slot records about its secrets, for the supervisor: that they are fetched, and a digest of each
 * that is looked at again. The values are in the memory of the slot's process only.
 */
import { createHmac, randomBytes } from 'node:crypto'
import { replaceFileSync } from '../../system/files/replace-file.ts'
import { readSmallRecord } from '../../system/files/small-file.ts'
import { isRecord } from '../../system/text/record.ts'

/** Its name in the slot's directory. */
export const RECORD_FILE = 'secrets'
const MAX_BYTES = 1024 * 1024

export interface SecretsRecord {
  /** The slot's process. */
  readonly pid: number
  /** Key of the digests, new with each start: equal values of two slots have different digests. */
  readonly salt: string
  /** By the names of the secrets. */
  readonly digests: Readonly<Record<string, string>>
}

const digestOf = (salt: string, value: string): string => createHmac('sha256', salt).update(value).digest('base64')

/** @throws the error of the file system */
export function writeRecord(file: string, pid: number, values: Readonly<Record<string, string>>): void {
  const salt = randomBytes(32).toString('base64')
  const digests = Object.fromEntries(Object.entries(values).map(([name, value]) => [name, digestOf(salt, value)]))
  replaceFileSync(file, JSON.stringify({ pid, salt, digests } satisfies SecretsRecord), { mode: 0o600 })
}

/** @returns undefined: there is none, or it is not one (the runtime user can write there) */
export function readRecord(file: string): SecretsRecord | undefined {
  const found = readSmallRecord(file, MAX_BYTES)
  const sound = typeof found?.pid === 'number' && typeof found.salt === 'string' && isRecord(found.digests)
  return sound ? (found as unknown as SecretsRecord) : undefined
}

/** Names of the values that are not those of the record. A value that it does not have has not changed. */
export const changedSecrets = (
  { salt, digests }: SecretsRecord,
  values: Readonly<Record<string, string>>,
): readonly string[] =>
  Object.entries(values).flatMap(([name, value]) =>
    Object.hasOwn(digests, name) && digests[name] !== digestOf(salt, value) ? [name] : [],
  )
