import { join } from 'node:path'
import type { Clock } from '../../system/clock.ts'
import { HermesError } from '../../system/errors.ts'
import { readSmallFile } from '../../system/files/small-file.ts'
import { changeAlone } from '../change-file.ts'
import { replaceFile } from '../replace-file.ts'

const MAX_AUTH_BYTES = 1_000_000

export const authFile = (profileDir: string): string => join(profileDir, 'auth.json')

/**
 * Returns the keys that `hermes login` stored, by variable name. A missing file means no keys.
 * @throws HermesError naming the file when it cannot be read or is not JSON; the message never contains anything from
 * the file
 */
export function readStoredKeys(profileDir: string): Readonly<Record<string, string>> {
  const { api_keys: keys } = readAuth(authFile(profileDir))
  if (typeof keys !== 'object' || keys === null) return {}
  return Object.fromEntries(
    Object.entries(keys).filter((entry): entry is [string, string] => typeof entry[1] === 'string' && entry[1] !== ''),
  )
}

/** Adds or replaces one key (null: removes it); what else is in the file stays. The file is 0600. */
export async function storeKey(profileDir: string, name: string, key: string | null, clock: Clock): Promise<void> {
  const file = authFile(profileDir)
  await changeAlone(file, { clock, mode: 0o600 }, () => {
    const auth = readAuth(file)
    const { [name]: _old, ...others } = readStoredKeys(profileDir)
    const keys = key === null ? others : { ...others, [name]: key }
    return replaceFile(file, `${JSON.stringify({ ...auth, api_keys: keys }, null, 2)}\n`, 0o600)
  })
}

function readAuth(file: string): Record<string, unknown> {
  const { text, problem } = readSmallFile(file, MAX_AUTH_BYTES)
  if (problem !== undefined) throw unusable(file, problem)
  if (text === undefined || text.trim() === '') return {}
  try {
    const value: unknown = JSON.parse(text)
    if (typeof value === 'object' && value !== null && !Array.isArray(value)) return value as Record<string, unknown>
  } catch {
    // JSON.parse quotes what it stumbled over, which may be a key: say only that it is not JSON.
  }
  throw unusable(file, 'is not a JSON object')
}

const unusable = (file: string, problem: string): HermesError =>
  new HermesError('FAILED', `${file} ${problem}`, { next: 'repair it, or move it away and run: hermes login' })
