import { join } from 'node:path'
import { readRegularFile } from '../system/files/small-file.ts'
import { DEFAULT_PROFILE } from './names.ts'
import { replaceFile } from './replace-file.ts'

const fileOf = (home: string): string => join(home, 'active_profile')

/** The profile that commands without `-p` mean: `hermes profile use` sets it. It may have been deleted since. */
export function readActiveProfile(home: string): string {
  try {
    return readRegularFile(fileOf(home), 1000)?.trim() || DEFAULT_PROFILE
  } catch {
    // Unreadable or missing: the default; `hermes doctor` names unreadable files.
    return DEFAULT_PROFILE
  }
}

export const writeActiveProfile = (home: string, name: string): Promise<void> =>
  replaceFile(fileOf(home), `${name}\n`, 0o644)
