import type { Dirent } from 'node:fs'
import { readdirSync, statSync } from 'node:fs'
import { HermesError } from '../system/errors.ts'
import { nearest } from '../system/nearest.ts'
import { below, homePaths, profileDir } from '../system/paths.ts'
import { DEFAULT_PROFILE, isProfileName, profileNameProblem } from './names.ts'

export { type CreateOptions, createProfile, seedHome } from './create.ts'
export { deleteProfile, renameProfile } from './remove.ts'

export interface ProfileEntry {
  readonly name: string
  readonly dir: string
}

export interface ProfileListing {
  /** `default` first, then by name. */
  readonly profiles: readonly ProfileEntry[]
  /** Entries of `profiles/` that are no profile; dot-named ones are nobody's business. An empty name: `profiles/` itself. */
  readonly problems: readonly { readonly name: string; readonly reason: string }[]
}

/** The profiles on disk: the one definition for the reconciler, `-p` and the board. Never throws. */
export function listProfiles(home: string): ProfileListing {
  const dir = homePaths(home).profiles
  const profiles: ProfileEntry[] = []
  const problems: { name: string; reason: string }[] = []
  let entries: Dirent[] = []
  try {
    entries = readdirSync(dir, { withFileTypes: true })
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT')
      problems.push({ name: '', reason: (error as Error).message })
  }
  for (const entry of entries.sort((a, b) => (a.name < b.name ? -1 : 1))) {
    if (entry.name.startsWith('.')) continue
    const path = below(dir, entry.name)
    const reason = profileNameProblem(entry.name) ?? directoryProblem(path, entry)
    if (reason === undefined) profiles.push({ name: entry.name, dir: path })
    else problems.push({ name: entry.name, reason })
  }
  return { profiles: [{ name: DEFAULT_PROFILE, dir: home }, ...profiles], problems }
}

/** A link to a directory elsewhere is a profile too: people keep one on another disk. */
function directoryProblem(path: string, entry: Dirent): string | undefined {
  if (entry.isDirectory()) return undefined
  if (!entry.isSymbolicLink()) return 'it is not a directory'
  try {
    return statSync(path).isDirectory() ? undefined : 'it is a link to something that is not a directory'
  } catch (error) {
    return `it is a link that leads nowhere (${(error as NodeJS.ErrnoException).code})`
  }
}

/** Whether a profile of this name is on disk. */
export function profileExists(home: string, name: string): boolean {
  if (name === DEFAULT_PROFILE) return true
  if (!isProfileName(name)) return false
  return statSync(profileDir(home, name), { throwIfNoEntry: false })?.isDirectory() ?? false
}

/**
 * A profile that must be there.
 * @throws HermesError NO_SUCH_PROFILE, naming the nearest one that exists
 */
export function requireProfile(home: string, name: string): ProfileEntry {
  if (profileExists(home, name)) return { name, dir: profileDir(home, name) }
  const { profiles } = listProfiles(home)
  const near = nearest(
    name,
    profiles.map((profile) => profile.name),
  )
  throw new HermesError('NO_SUCH_PROFILE', `no profile ${JSON.stringify(name)} in ${homePaths(home).profiles}`, {
    next:
      near === undefined
        ? 'hermes profile list shows those that exist'
        : `did you mean "${near}"? hermes profile list shows all`,
  })
}
