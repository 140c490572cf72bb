import type { Dirent } from 'node:fs'
import { statSync } from 'node:fs'
import { HermesError } from '../../system/errors.ts'
import { directoryEntries, FirstInOrder } from '../../system/files/directory.ts'
import { below, homePaths, profileDir } from '../../system/paths.ts'
import { nearest } from '../../system/text/nearest.ts'
import { DEFAULT_PROFILE, isProfileName, profileNameProblem } from '../names.ts'
import { remainderOf, remainderText } from './remainders.ts'

export { type CreateOptions, createProfile, seedHome } from './create.ts'
export { deleteProfile, renameProfile } from './remove.ts'

export interface ProfileEntry {
  readonly name: string
  readonly dir: string
}

export interface ProfileListing {
  /** `default` first, then by name. */
  readonly profiles: readonly ProfileEntry[]
  /**
   * Entries of `profiles/` that are not profiles: the first {@link NAMED_PROBLEMS} by name, and those asked for. Dot
   * names do not count. An empty name means `profiles/` itself.
   */
  readonly problems: readonly ProfileProblem[]
  /** Number of further entries. */
  readonly moreProblems: number
}

export interface ProfileProblem {
  readonly name: string
  readonly reason: string
}

/** A hundred thousand files unpacked in the wrong place are one mistake. */
export const NAMED_PROBLEMS = 20

/**
 * The profiles on disk: the one definition for the reconciler, `-p` and the board. Never throws.
 * @param inQuestion names that are among the problems in any case if there is such an entry and it is not a profile
 */
export function listProfiles(home: string, inQuestion: ReadonlySet<string> = new Set()): ProfileListing {
  const dir = homePaths(home).profiles
  const profiles: ProfileEntry[] = []
  const strays = new FirstInOrder<ProfileProblem>(NAMED_PROBLEMS, (a, b) => a.name < b.name)
  const asked: ProfileProblem[] = []
  const problems: ProfileProblem[] = []
  try {
    for (const entry of directoryEntries(dir)) {
      const { name } = entry
      if (name.startsWith('.')) continue
      const path = below(dir, name)
      const reason = profileNameProblem(name) ?? directoryProblem(path, entry)
      if (reason === undefined) profiles.push({ name, dir: path })
      else {
        strays.add({ name, reason })
        if (inQuestion.has(name)) asked.push({ name, reason })
      }
    }
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT')
      problems.push({ name: '', reason: (error as Error).message })
  }
  const named = new Set(strays.first.map(({ name }) => name))
  const rest = asked.filter(({ name }) => !named.has(name)).sort(byName)
  return {
    profiles: [{ name: DEFAULT_PROFILE, dir: home }, ...profiles.sort(byName)],
    problems: [...problems, ...strays.first, ...rest],
    moreProblems: strays.more - rest.length,
  }
}

const byName = (a: { readonly name: string }, b: { readonly name: string }): number => (a.name < b.name ? -1 : 1)

/** A link to a directory elsewhere is a profile too: people keep one on another disk. */
function directoryProblem(path: string, entry: Dirent): string | undefined {
  if (entry.isDirectory()) return undefined
  if (!entry.isSymbolicLink()) return 'it is not a directory'
  try {
    // throwIfNoEntry: an exception costs more than the look itself, and there may be a hundred thousand of them.
    const target = statSync(path, { throwIfNoEntry: false })
    if (target === undefined) return 'it is a link that leads nowhere (ENOENT)'
    return target.isDirectory() ? undefined : 'it is a link to something that is not a directory'
  } catch (error) {
    return `it is a link that leads nowhere (${(error as NodeJS.ErrnoException).code})`
  }
}

/** Tells whether a profile of this name is on disk. */
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
  const remainder = remainderOf(home, name)
  if (remainder !== undefined) {
    const { text, next } = remainderText(remainder)
    throw new HermesError('NO_SUCH_PROFILE', `no profile "${name}": ${text}`, { next })
  }
  const { profiles } = listProfiles(home)
  const near = nearest(
    name,
    profiles.map((profile) => profile.name),
  )
  throw new HermesError('NO_SUCH_PROFILE', `no profile ${JSON.stringify(name)} in ${homePaths(home).profiles}`, {
    next:
      near === undefined
        ? '"hermes profile list" shows the profiles'
        : `did you mean "${near}"? hermes profile list shows all`,
  })
}
